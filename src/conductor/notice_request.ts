import { createHmac } from "node:crypto";
import { noticeText, slackText } from "../core/notice_text.ts";
import { noticeId } from "../core/notices.ts";
import type { PostRequest } from "../machine/network.ts";
import type { DeployRecord, Notice } from "../schema/deploy_record.ts";

/** Where to send notices, and the key that they are signed by; null where the URL alone is the secret. */
export interface NotifyTarget {
  readonly url: URL;
  readonly key: string | null;
  readonly format: "json" | "slack";
}

/** What is told of one deploy. */
export interface NoticeOf {
  readonly service: string;
  readonly deploy: string;
  readonly record: DeployRecord;
  readonly notice: Notice;
}

/**
 * A notice as it is sent. The body follows from the deploy's record alone, so that one that is sent again says the same.
 *
 * @param nowMs since the epoch; whoever is told refuses what was sent long ago
 */
export function noticeRequest(target: NotifyTarget, told: NoticeOf, nowMs: number): PostRequest {
  const { url, key, format } = target;
  const body = JSON.stringify(format === "slack" ? slackBody(told) : jsonBody(told));
  const timestamp = String(Math.floor(nowMs / 1000));
  return {
    url,
    body,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "user-agent": "deployd",
      "x-deployd-event": noticeId(told.service, told.deploy, told.notice),
      "x-deployd-timestamp": timestamp,
      ...(key === null ? {} : { "x-deployd-signature": signature(key, timestamp, body) }),
    },
  };
}

function signature(key: string, timestamp: string, body: string): string {
  return `sha256=${createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex")}`;
}

function jsonBody({ service, deploy, record, notice }: NoticeOf) {
  const { number, kind, state, at, who, why, stage = null } = notice;
  const { build, previous } = record;
  const text = noticeText(service, record, notice);
  const id = noticeId(service, deploy, notice);
  return {
    schema: "deployd.event/1",
    id,
    kind,
    service,
    build,
    previous,
    deploy,
    number,
    stage,
    who,
    why,
    state,
    at,
    text,
  };
}

function slackBody({ service, record, notice }: NoticeOf) {
  return { text: slackText(noticeText(service, record, notice)) };
}
