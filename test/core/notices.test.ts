import { describe, expect, test } from "bun:test";
import {
  aborted,
  activating,
  done,
  halted,
  moved,
  paused,
  promoted,
  resumed,
  retried,
  rolledBack,
  stageProven,
  started,
  turnedRound,
} from "../../src/core/deploy.ts";
import { noticeText, slackText } from "../../src/core/notice_text.ts";
import { noticeAfter, noticeId } from "../../src/core/notices.ts";
import { parseStages } from "../../src/core/stages.ts";
import { deployRecordSchema, type DeployRecord } from "../../src/schema/deploy_record.ts";

const now = new Date("2026-01-02T03:04:05.000Z");
const by = { who: "ana", why: "", now };
const base = { hosts: 9, zones: {} };
const reach = { zones: [], below: 0.5 };

function begun(stages = "100%", notify: readonly string[] | null = ["ops"]): DeployRecord {
  const limits = { max: 1, budget: 0, soakMs: 0 };
  const facts = {
    build: "v2",
    previous: "v1",
    before: null,
    stages: parseStages(stages),
    limits,
    onHalt: "ask",
  } as const;
  return started({ ...facts, ...by, notify: notify ?? undefined });
}

const notices = ({ telling }: DeployRecord) => telling?.notices ?? [];
const kinds = (record: DeployRecord): string[] => notices(record).map(({ number, kind }) => `${number} ${kind}`);
const texts = (record: DeployRecord): string[] => notices(record).map((notice) => noticeText("web", record, notice));

describe("what becomes of a deploy", () => {
  test("is kept in its order, with the state that it came to, and who or what made it so", () => {
    let record = activating(begun("canary,50%/promote,100%"), base, now) as DeployRecord;
    record = stageProven(record, now);
    record = promoted(record, reach, { who: "ben", why: "it is fine" }, now);
    record = stageProven(record, now);
    record = promoted(record, reach, null, now);
    record = done(record, now);
    expect(kinds(record)).toEqual(["1 started", "2 stage", "3 promoted", "4 stage", "5 promoted", "6 done"]);
    expect(texts(record)).toEqual([
      "web: ana started the deploy of v2 after v1",
      "web: the deploy of v2 has reached its stage canary and waits",
      "web: ben lets the deploy of v2 go on to its stage 50%/promote: it is fine",
      "web: the deploy of v2 has reached its stage 50%/promote and waits",
      "web: the deploy of v2 goes on to its stage 100%",
      "web: the deploy of v2 is done",
    ]);
    expect(notices(record)[1]).toEqual({
      number: 2,
      kind: "stage",
      state: "awaiting promotion",
      at: now.toISOString(),
      who: "deployd",
      why: "",
      stage: "canary",
    });
    expect(deployRecordSchema.parse(record)).toEqual(record);
  });

  test("tells a stage that is reached and left in one of both", () => {
    const record = promoted(activating(begun("50%,100%"), base, now), reach, null, now);
    expect(texts(record).slice(1)).toEqual([
      "web: the deploy of v2 has reached its stage 50%",
      "web: the deploy of v2 goes on to its stage 100%",
    ]);
  });

  test("keeps a halt that a person has ended before anybody looked, and the next one", () => {
    let record: DeployRecord = halted(activating(begun(), base, now), "web-1: its check failed", now);
    record = resumed(record, { ...by, why: "I have mended it" });
    record = halted(record, "web-2: its check failed", now);
    record = retried(record, by);
    record = paused(record, by);
    record = aborted(record, "aborted by ana", now, by);
    expect(texts(record).slice(1)).toEqual([
      "web: the deploy of v2 is halted: web-1: its check failed",
      "web: ana lets the deploy of v2 go on: I have mended it",
      "web: the deploy of v2 is halted: web-2: its check failed",
      "web: ana has the deploy of v2 tried again where it failed",
      "web: ana paused the deploy of v2",
      "web: the deploy of v2 is aborted: aborted by ana",
    ]);
  });

  test("tells the way back from its beginning to its end, by a person and by itself", () => {
    const rolling = activating(begun(), base, now);
    const back = rolledBack(turnedRound(rolling, { ...by, why: "it is slow" }), now);
    expect(texts(back).slice(1)).toEqual([
      "web: ana has the deploy of v2 taken back to v1: it is slow",
      "web: the deploy of v2 is rolled back to v1",
    ]);
    const alone = moved(rolling, { to: "turned round", reason: "web-1 failed", cost: null }, now);
    expect(texts(alone).at(-1)).toBe("web: the deploy of v2 is taken back to v1: web-1 failed");
  });

  test("is not kept where nobody is to be told, so that the record is what it was without", () => {
    const quiet = (notify: readonly string[] | null) => done(activating(begun("100%", notify), base, now), now);
    expect(quiet([])).toEqual(quiet(null));
    expect(quiet([])).not.toHaveProperty("telling");
  });

  test("is bounded, and numbers stay what they are", () => {
    let record = activating(begun(), base, now) as DeployRecord;
    for (let times = 0; times < 60; times += 1)
      record = resumed(paused(record, { ...by, why: "x".repeat(10_000) }), by);
    expect(notices(record)).toHaveLength(40);
    expect(notices(record).at(-1)?.number).toBe(121);
    expect(notices(record).every(({ why }) => why.length <= 300)).toBe(true);
    expect(noticeAfter(record, 0)?.number).toBe(82);
  });

  test("is due from the first that a target does not know", () => {
    const record = done(activating(begun(), base, now), now);
    expect(noticeAfter(record, 0)).toMatchObject({ number: 1, kind: "started" });
    expect(noticeAfter(record, 1)).toMatchObject({ number: 2, kind: "done" });
    expect(noticeAfter(record, 2)).toBeNull();
    expect(noticeId("web", "d1", { number: 2, kind: "done" })).toBe("web/d1/2-done");
  });
});

test("what people type is one line, and mentions nobody in Slack", () => {
  const record = paused(activating(begun(), base, now), {
    ...by,
    who: "<@U123>",
    why: "<!channel> & <!here|now>\n@everyone \u202egnp",
  });
  const [text = ""] = texts(record).slice(-1);
  expect(text).toBe("web: <@U123> paused the deploy of v2: <!channel> & <!here|now> @everyone  gnp");
  const slack = slackText(text);
  expect(slack).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)|@\w/);
  expect(slack).toContain("&lt;!channel&gt; &amp; &lt;!here|now&gt; @\u200beveryone");
});
