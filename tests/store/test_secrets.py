"""API keys and secrets are random and fit into a Basic header."""

from syncline.store.secrets import digest, new_api_key


def test_keys_and_secrets_are_new_each_time_and_hold_no_colon() -> None:
    made = [new_api_key() for _ in range(100)]
    assert len({key for key, _ in made}) == len({secret for _, secret in made}) == 100
    assert all(len(key) == 16 and len(secret) == 32 and ":" not in key + secret for key, secret in made)


def test_a_digest_is_sha_256() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
