import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.warehouses.naming import Naming, assign, fit, normalize

POSTGRES = 63

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("orders", "orders"),
        ("OrderId", "order_id"),
        ("orderID", "order_id"),
        ("HTTPStatusCode", "http_status_code"),
        ("order-lines/eu.west", "order_lines_eu_west"),
        ("2024 totals", "_2024_totals"),
        ("Größe", "größe"),
        ("already_snake_case", "already_snake_case"),
        ("__x", "__x"),
        ("SKU", "sku"),
        ("", "_"),
        ('a";drop table b', "a__drop_table_b"),
    ],
)
def test_fivetran_naming(source, expected):
    assert normalize(source) == expected


def test_source_naming_keeps_names_but_for_unsafe_characters():
    assert normalize("Order Id", Naming.SOURCE_NAMING) == "Order Id"
    assert normalize('a"b;c\n', Naming.SOURCE_NAMING) == "a_b_c_"


@unhurried
@given(st.text())
def test_normalizing_twice_changes_nothing_more(source):
    assert normalize(normalize(source)) == normalize(source)


@unhurried
@given(st.text(min_size=1), st.integers(16, 80))
def test_a_name_that_fits_has_at_most_the_bytes_allowed(name, longest):
    assert len(fit(name, name, longest).encode()) <= longest


def test_two_fields_that_map_to_one_name_are_both_kept():
    names = assign(["orderId", "order_id"], {}, Naming.FIVETRAN_NAMING, POSTGRES)
    assert names["order_id"] == "order_id"
    assert names["orderId"].startswith("order_id_")


def test_names_do_not_depend_on_the_order_of_fields():
    fields = ["orderId", "order_id", "OrderID", "order-id"]
    assert assign(fields, {}, Naming.FIVETRAN_NAMING, POSTGRES) == assign(
        fields[::-1], {}, Naming.FIVETRAN_NAMING, POSTGRES
    )


def test_a_name_given_earlier_is_kept():
    names = assign(["order_id", "orderId"], {"orderId": "order_id"}, Naming.FIVETRAN_NAMING, POSTGRES)
    assert names["orderId"] == "order_id"
    assert names["order_id"] != "order_id"


@unhurried
@given(st.lists(st.text(), unique=True), st.sampled_from(Naming))
def test_all_names_differ_and_fit(sources, naming):
    names = assign(sources, {}, naming, POSTGRES)
    assert set(names) == set(sources)
    assert len({name.casefold() for name in names.values()}) == len(sources)
    assert all(0 < len(name.encode()) <= POSTGRES for name in names.values())
