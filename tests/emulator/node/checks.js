"use strict";

// Drives the emulator with the official JavaScript SDK. Each check uses entities of its own, made through
// the administration client. Prints one line of JSON for each check: {"name", "ok", "error"}.
//
//   node checks.js <connection string over AMQP> <connection string over TLS>

const assert = require("node:assert/strict");
const { ServiceBusClient, ServiceBusAdministrationClient } = require("@azure/service-bus");

const CHECK_TIMEOUT = 30_000;
const WAIT = { maxWaitTimeInMs: 5_000 };
const RETRY = { retryOptions: { maxRetries: 0, timeoutInMs: 10_000 } };

const [plain, secure] = process.argv.slice(2);
const administration = new ServiceBusAdministrationClient(secure);

let made = 0;
async function makeQueue(options = {}) {
  const name = `node-queue-${++made}`;
  await administration.createQueue(name, options);
  return name;
}

async function makeTopic(...subscriptions) {
  const name = `node-topic-${++made}`;
  await administration.createTopic(name);
  for (const subscription of subscriptions) {
    await administration.createSubscription(name, subscription);
  }
  return name;
}

async function receiveOne(receiver) {
  const [message] = await receiver.receiveMessages(1, WAIT);
  assert.ok(message, "no message came");
  return message;
}

async function receiveAll(receiver, count) {
  const received = [];
  while (received.length < count) {
    const some = await receiver.receiveMessages(count - received.length, WAIT);
    assert.ok(some.length > 0, `only ${received.length} of ${count} messages came`);
    received.push(...some);
  }
  return received;
}

const bodies = (messages) => messages.map((message) => message.body);

const checks = {
  async "send and receive"(client) {
    const queue = await makeQueue();
    const sent = {
      body: { nested: { list: [1, 2.5, null, "ünï"] } },
      messageId: "m-1",
      correlationId: "c-1",
      contentType: "application/json",
      subject: "created",
      to: "somewhere",
      replyTo: "back",
      timeToLive: 60_000,
      applicationProperties: { text: "a", number: 1.5, flag: true, moment: new Date(0) },
    };
    await client.createSender(queue).sendMessages(sent);
    const receiver = client.createReceiver(queue, { skipConvertingDate: true });
    const message = await receiveOne(receiver);
    for (const name of ["messageId", "correlationId", "contentType", "subject", "to", "replyTo", "timeToLive"]) {
      assert.equal(message[name], sent[name], name);
    }
    assert.deepEqual(message.body, sent.body);
    assert.deepEqual({ ...message.applicationProperties }, sent.applicationProperties);
    assert.equal(message.sequenceNumber.toString(), "1");
    assert.equal(message.deliveryCount, 0);
    assert.ok(Math.abs(message.enqueuedTimeUtc - Date.now()) < 60_000);
    assert.ok(message.lockedUntilUtc > new Date());
    assert.match(message.lockToken, /^[0-9a-f]{8}-/);
    await receiver.completeMessage(message);
    assert.deepEqual(await receiver.peekMessages(1), []);
  },

  async "a message without an identifier has none"(client) {
    const queue = await makeQueue();
    await client.createSender(queue).sendMessages([{ body: 1 }, { body: 2 }]);
    const receiver = client.createReceiver(queue, { receiveMode: "receiveAndDelete" });
    const received = await receiveAll(receiver, 2);
    assert.deepEqual(bodies(received), [1, 2]);
    assert.ok(received.every((message) => message.messageId === undefined));
  },

  async "every kind of body"(client) {
    const queue = await makeQueue();
    const sender = client.createSender(queue);
    await sender.sendMessages({ body: Buffer.from([0, 1, 255]) });
    await sender.sendMessages({ messageId: "m-text", body: "text" });
    await sender.sendMessages({ bodyType: "value", body: { a: 1 } });
    await sender.sendMessages({ bodyType: "sequence", body: [[1, 2], ["three"]] });
    const [bytes, text, value, sequence] = await receiveAll(
      client.createReceiver(queue, { receiveMode: "receiveAndDelete" }),
      4,
    );
    assert.deepEqual([...bytes.body], [0, 1, 255]);
    assert.equal(text.body, "text");
    assert.deepEqual(value.body, { a: 1 });
    assert.deepEqual(sequence.body.flat(), [1, 2, "three"]);
  },

  async "send a batch"(client) {
    const queue = await makeQueue();
    const sender = client.createSender(queue);
    const batch = await sender.createMessageBatch();
    for (let number = 0; number < 50; number++) {
      assert.ok(batch.tryAddMessage({ body: number, messageId: `m-${number}` }));
    }
    await sender.sendMessages(batch);
    await sender.sendMessages([{ messageId: "m-50", body: 50 }, { messageId: "m-51", body: 51 }]);
    const receiver = client.createReceiver(queue, { receiveMode: "receiveAndDelete" });
    const received = await receiveAll(receiver, 52);
    assert.deepEqual(bodies(received), [...Array(52).keys()]);
  },

  async "send a large message"(client) {
    const queue = await makeQueue();
    const body = "x".repeat(200_000);
    await client.createSender(queue).sendMessages({ messageId: "m-large", body });
    const message = await receiveOne(client.createReceiver(queue, { receiveMode: "receiveAndDelete" }));
    assert.equal(message.body, body);
  },

  async "receive and delete"(client) {
    const queue = await makeQueue();
    await client.createSender(queue).sendMessages([{ messageId: "m-1", body: 1 }, { messageId: "m-2", body: 2 }]);
    const receiver = client.createReceiver(queue, { receiveMode: "receiveAndDelete" });
    assert.deepEqual(bodies(await receiveAll(receiver, 2)), [1, 2]);
    assert.deepEqual(await receiver.peekMessages(1), []);
  },

  async abandon(client) {
    const queue = await makeQueue();
    await client.createSender(queue).sendMessages({ messageId: "m-1", body: 1 });
    const receiver = client.createReceiver(queue);
    await receiver.abandonMessage(await receiveOne(receiver), { reason: "again" });
    const message = await receiveOne(receiver);
    assert.equal(message.deliveryCount, 1);
    assert.equal(message.applicationProperties.reason, "again");
    await receiver.completeMessage(message);
  },

  async "dead-letter and read the dead-letter queue"(client) {
    const queue = await makeQueue();
    await client.createSender(queue).sendMessages({ messageId: "m-1", body: 1 });
    const receiver = client.createReceiver(queue);
    await receiver.deadLetterMessage(await receiveOne(receiver), {
      deadLetterReason: "wrong",
      deadLetterErrorDescription: "it is wrong",
    });
    const dead = client.createReceiver(queue, { subQueueType: "deadLetter" });
    const message = await receiveOne(dead);
    assert.equal(message.body, 1);
    assert.equal(message.deadLetterReason, "wrong");
    assert.equal(message.deadLetterErrorDescription, "it is wrong");
    await dead.completeMessage(message);
    const counts = await administration.getQueueRuntimeProperties(queue);
    assert.equal(counts.totalMessageCount, 0);
  },

  async "too many deliveries end in the dead-letter queue"(client) {
    const queue = await makeQueue({ maxDeliveryCount: 2 });
    await client.createSender(queue).sendMessages({ messageId: "m-1", body: 1 });
    const receiver = client.createReceiver(queue);
    await receiver.abandonMessage(await receiveOne(receiver));
    await receiver.abandonMessage(await receiveOne(receiver));
    const message = await receiveOne(client.createReceiver(queue, { subQueueType: "deadLetter" }));
    assert.equal(message.deadLetterReason, "MaxDeliveryCountExceeded");
  },

  async defer(client) {
    const queue = await makeQueue();
    await client.createSender(queue).sendMessages({ messageId: "m-1", body: 1 });
    const receiver = client.createReceiver(queue);
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const [deferred] = await receiver.receiveDeferredMessages(message.sequenceNumber);
    assert.equal(deferred.body, 1);
    assert.equal(deferred.state, "deferred");
    await receiver.completeMessage(deferred);
    assert.deepEqual(await receiver.peekMessages(1), []);
  },

  async "renew a lock"(client) {
    const queue = await makeQueue({ lockDuration: "PT10S" });
    await client.createSender(queue).sendMessages({ messageId: "m-1", body: 1 });
    const receiver = client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
    const message = await receiveOne(receiver);
    const before = message.lockedUntilUtc;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok((await receiver.renewMessageLock(message)) > before);
    await receiver.completeMessage(message);
  },

  async peek(client) {
    const queue = await makeQueue();
    await client.createSender(queue).sendMessages([...Array(10).keys()].map((body) => ({ messageId: `m-${body}`, body })));
    const receiver = client.createReceiver(queue);
    assert.deepEqual(bodies(await receiver.peekMessages(4)), [0, 1, 2, 3]);
    assert.deepEqual(bodies(await receiver.peekMessages(4)), [4, 5, 6, 7]);
    const again = await receiver.peekMessages(2, { fromSequenceNumber: (await receiver.peekMessages(1))[0].sequenceNumber });
    assert.deepEqual(bodies(again), [8, 9]);
    assert.equal((await administration.getQueueRuntimeProperties(queue)).activeMessageCount, 10);
  },

  async "schedule and cancel"(client) {
    const queue = await makeQueue();
    const sender = client.createSender(queue);
    const late = new Date(Date.now() + 3_600_000);
    const numbers = await sender.scheduleMessages([{ messageId: "m-late", body: "late" }, { messageId: "m-later", body: "later" }], late);
    assert.equal(numbers.length, 2);
    assert.equal((await administration.getQueueRuntimeProperties(queue)).scheduledMessageCount, 2);
    await sender.cancelScheduledMessages(numbers);
    assert.equal((await administration.getQueueRuntimeProperties(queue)).scheduledMessageCount, 0);
    const soon = new Date(Date.now() + 300);
    await sender.scheduleMessages({ messageId: "m-soon", body: "soon" }, soon);
    const message = await receiveOne(client.createReceiver(queue, { receiveMode: "receiveAndDelete" }));
    assert.equal(message.body, "soon");
    assert.ok(Date.now() >= soon);
  },

  async "a session and its state"(client) {
    const queue = await makeQueue({ requiresSession: true });
    const sender = client.createSender(queue);
    await sender.sendMessages([
      { messageId: "m-1", body: 1, sessionId: "a" },
      { messageId: "m-2", body: 2, sessionId: "b" },
      { messageId: "m-3", body: 3, sessionId: "a" },
    ]);
    const receiver = await client.acceptSession(queue, "a");
    assert.equal(receiver.sessionId, "a");
    assert.ok(receiver.sessionLockedUntilUtc > new Date());
    await receiver.setSessionState(Buffer.from("half way"));
    assert.equal((await receiver.getSessionState()).toString(), "half way");
    assert.ok((await receiver.renewSessionLock()) > new Date());
    const messages = await receiveAll(receiver, 2);
    assert.deepEqual(bodies(messages), [1, 3]);
    for (const message of messages) {
      await receiver.completeMessage(message);
    }
    await receiver.close();
    const next = await client.acceptNextSession(queue);
    assert.equal(next.sessionId, "b");
    await next.completeMessage(await receiveOne(next));
    await next.close();
  },

  async "a session that another receiver holds"(client) {
    const queue = await makeQueue({ requiresSession: true });
    const held = await client.acceptSession(queue, "a");
    await assert.rejects(client.acceptSession(queue, "a"), { code: "SessionCannotBeLocked" });
    await held.close();
  },

  async "a topic and its rules"(client) {
    const topic = await makeTopic("all", "few");
    const rules = client.createRuleManager(topic, "few");
    await rules.createRule("large", { sqlExpression: "size > 10 AND sys.Label LIKE 'order%'" });
    await rules.createRule("red", { subject: "paint", applicationProperties: { colour: "red" } });
    await rules.deleteRule("$Default");
    const found = {};
    for await (const rule of rules.listRules()) {
      found[rule.name] = rule.filter;
    }
    assert.deepEqual(Object.keys(found).sort(), ["large", "red"]);
    assert.equal(found.large.sqlExpression, "size > 10 AND sys.Label LIKE 'order%'");
    assert.equal(found.red.subject, "paint");
    await client.createSender(topic).sendMessages([
      { messageId: "m-1", body: 1, subject: "order.created", applicationProperties: { size: 11 } },
      { messageId: "m-2", body: 2, subject: "order.created", applicationProperties: { size: 9 } },
      { messageId: "m-3", body: 3, subject: "paint", applicationProperties: { colour: "red" } },
      { messageId: "m-4", body: 4, subject: "paint", applicationProperties: { colour: "blue" } },
    ]);
    const receive = (name) => client.createReceiver(topic, name, { receiveMode: "receiveAndDelete" });
    assert.deepEqual(bodies(await receiveAll(receive("all"), 4)), [1, 2, 3, 4]);
    assert.deepEqual(bodies(await receiveAll(receive("few"), 2)), [1, 3]);
    assert.deepEqual(await receive("few").peekMessages(1), []);
  },

  async subscribe(client) {
    const queue = await makeQueue();
    const receiver = client.createReceiver(queue);
    const received = [];
    const done = new Promise((resolve, reject) => {
      receiver.subscribe({
        async processMessage(message) {
          received.push(message.body);
          if (received.length === 20) resolve();
        },
        async processError({ error }) {
          reject(error);
        },
      });
    });
    await client.createSender(queue).sendMessages([...Array(20).keys()].map((body) => ({ messageId: `m-${body}`, body })));
    await done;
    await receiver.close();
    assert.deepEqual(received, [...Array(20).keys()]);
  },

  async "an entity that is not there"(client) {
    await assert.rejects(client.createSender("node-absent").sendMessages({ messageId: "m-1", body: 1 }), {
      code: "MessagingEntityNotFound",
    });
  },

  async "a wrong key"() {
    const stranger = new ServiceBusClient(plain.replace(/SharedAccessKey=[^;]*/, "SharedAccessKey=wrong"), RETRY);
    await assert.rejects(stranger.createSender(await makeQueue()).sendMessages({ messageId: "m-1", body: 1 }), {
      code: "UnauthorizedAccess",
    });
    await stranger.close();
  },

  async "over TLS"() {
    const queue = await makeQueue();
    const client = new ServiceBusClient(secure, RETRY);
    await client.createSender(queue).sendMessages({ messageId: "m-1", body: 1 });
    assert.equal((await receiveOne(client.createReceiver(queue, { receiveMode: "receiveAndDelete" }))).body, 1);
    await client.close();
  },

  async "administer queues"() {
    const options = {
      lockDuration: "PT30S",
      maxSizeInMegabytes: 2048,
      requiresDuplicateDetection: true,
      requiresSession: true,
      defaultMessageTimeToLive: "P7D",
      deadLetteringOnMessageExpiration: true,
      duplicateDetectionHistoryTimeWindow: "PT5M",
      maxDeliveryCount: 4,
      enableBatchedOperations: false,
      userMetadata: "<what>",
      autoDeleteOnIdle: "PT6M",
      enablePartitioning: true,
      authorizationRules: [
        { claimType: "SharedAccessKey", accessRights: ["Listen", "Send"], keyName: "k", primaryKey: "p", secondaryKey: "s" },
      ],
    };
    const created = await administration.createQueue("node-administered", options);
    const queue = await administration.getQueue("node-administered");
    for (const [name, value] of Object.entries(options)) {
      assert.deepEqual(created[name], value, name);
      assert.deepEqual(queue[name], value, name);
    }
    queue.maxDeliveryCount = 5;
    await administration.updateQueue(queue);
    assert.equal((await administration.getQueue("node-administered")).maxDeliveryCount, 5);
    await assert.rejects(administration.createQueue("node-administered"), { code: "MessageEntityAlreadyExistsError" });
    const forwarding = await administration.createQueue("node-forwarding", { forwardTo: "node-administered" });
    assert.match(forwarding.forwardTo, /^sb:\/\/.*\/node-administered$/);
    await administration.deleteQueue("node-forwarding");
    await administration.deleteQueue("node-administered");
    assert.equal(await administration.queueExists("node-administered"), false);
    await assert.rejects(administration.getQueue("node-administered"), { code: "MessageEntityNotFoundError" });
  },

  async "administer topics, subscriptions and rules"() {
    const topic = "node-path/topic";
    await administration.createTopic(topic, { userMetadata: "m", defaultMessageTimeToLive: "PT1H" });
    assert.equal((await administration.getTopic(topic)).defaultMessageTimeToLive, "PT1H");
    await administration.createSubscription(topic, "s", {
      lockDuration: "PT20S",
      defaultRuleOptions: { name: "first", filter: { sqlExpression: "a = @b", sqlParameters: { "@b": 1.5 } } },
    });
    const subscription = await administration.getSubscription(topic, "s");
    assert.equal(subscription.lockDuration, "PT20S");
    assert.equal(subscription.topicName, topic);
    subscription.maxDeliveryCount = 3;
    await administration.updateSubscription(subscription);
    const first = await administration.getRule(topic, "s", "first");
    assert.equal(first.filter.sqlExpression, "a = @b");
    assert.deepEqual(first.filter.sqlParameters, { "@b": 1.5 });
    const properties = { text: "x", number: 2, flag: false, moment: new Date(0) };
    await administration.createRule(topic, "s", "second", { subject: "l", applicationProperties: properties });
    const second = await administration.getRule(topic, "s", "second");
    assert.equal(second.filter.subject, "l");
    assert.deepEqual(second.filter.applicationProperties, properties);
    const names = [];
    for await (const rule of administration.listRules(topic, "s")) names.push(rule.name);
    assert.deepEqual(names, ["first", "second"]);
    await administration.updateRule(topic, "s", { ...second, filter: { sqlExpression: "1=1" } });
    assert.equal((await administration.getRule(topic, "s", "second")).filter.sqlExpression, "1=1");
    await assert.rejects(administration.createRule(topic, "s", "bad", { sqlExpression: "a =" }), /position 4/);
    await administration.deleteRule(topic, "s", "first");
    const counts = await administration.getSubscriptionRuntimeProperties(topic, "s");
    assert.equal(counts.totalMessageCount, 0);
    assert.equal((await administration.getTopicRuntimeProperties(topic)).subscriptionCount, 1);
    await administration.deleteSubscription(topic, "s");
    await administration.deleteTopic(topic);
    assert.equal(await administration.topicExists(topic), false);
  },

  async "list in pages"() {
    for (let number = 0; number < 7; number++) await administration.createTopic(`node-page-${number}`);
    const names = [];
    for await (const page of administration.listTopics().byPage({ maxPageSize: 3 })) {
      assert.ok(page.length <= 3);
      names.push(...page.map((topic) => topic.name));
    }
    assert.deepEqual(
      names.filter((name) => name.startsWith("node-page-")),
      [...Array(7).keys()].map((number) => `node-page-${number}`),
    );
    const { name, messagingSku } = await administration.getNamespaceProperties();
    assert.ok(name);
    assert.equal(messagingSku, "Standard");
  },
};

async function run(check) {
  const client = new ServiceBusClient(plain, RETRY);
  let timer;
  const timeout = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${CHECK_TIMEOUT} ms`)), CHECK_TIMEOUT);
  });
  try {
    await Promise.race([check(client), timeout]);
    await Promise.race([client.close(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function main() {
  // An error outside of any check belongs in the result as well, and must not end the others.
  process.on("unhandledRejection", (error) => report("no error goes unhandled", error));
  await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        await run(check);
        report(name);
      } catch (error) {
        report(name, error);
      }
    }),
  );
}

function report(name, error) {
  const text = error ? `${error.code ?? ""} ${error.stack ?? error}`.trim() : null;
  console.log(JSON.stringify({ name, ok: !error, error: text }));
}

main().then(() => process.exit(0));
