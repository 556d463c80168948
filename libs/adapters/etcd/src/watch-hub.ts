/**
 * All watches of a store, on one stream of etcd's watch protocol. Streams may be cut at any time, as often as they
 * like: each watch goes on behind what was delivered of it (watch-cursor.ts). Silence is told from quiet by asking
 * for progress; a stream that does not answer is cut, and made again at another node.
 */
import { type Clock, CompactedError, type Log, StoreUnavailableError } from "@greco/ports";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { IEvent, IWatchRequest, IWatchResponse } from "etcd3";
import { type EtcdHost, type EtcdHosts, streamOptions } from "./hosts.ts";
import type { EtcdLimits } from "./limits.ts";
import { createCursor, type WatchCursor } from "./watch-cursor.ts";
import type { EtcdRange } from "./wire.ts";

/** What a watch is told. Neither may throw. */
export type WatchSink = {
  /** No events: everything up to the revision was delivered. */
  deliver(events: readonly IEvent[], revision: number): void;
  /** Nothing follows. */
  end(error: Error): void;
};

export type HubWatch = {
  /** Nothing is delivered any more until `resume`; the server forgets the watch. */
  pause(): void;
  resume(): void;
  close(): void;
};

export type WatchHub = AsyncDisposable & {
  watch(range: EtcdRange, afterRevision: number, sink: WatchSink): HubWatch;
};

type Member = {
  readonly range: EtcdRange;
  readonly cursor: WatchCursor;
  readonly sink: WatchSink;
  paused: boolean;
  /** Its number on the stream that is open, once it was asked for. */
  id: string | undefined;
  /** It was asked for from a revision that the server has not come to yet. */
  isAhead: boolean;
};

type Asked = { readonly member: Member; readonly id: string; readonly start: number };

type Stream = {
  readonly host: EtcdHost;
  readonly calls: ClientDuplexStream<IWatchRequest, IWatchResponse>;
  readonly byId: Map<string, Member>;
  /** Asked for, in order; the server answers in order. */
  readonly asked: Asked[];
  nextId: number;
  /** Questions for progress, and answers. */
  questions: number;
  answers: number;
  heardAtMs: number;
  /** Nobody needs it any more. */
  left: boolean;
};

export type HubParts = {
  readonly hosts: EtcdHosts;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: EtcdLimits;
};

/** Marks that speak of all watches of a stream have this number. */
const ALL = "-1";
/** Questions that were not answered (a watch was catching up) before the stream is made anew, to count from 0. */
const UNANSWERED_MAX = 16;
/** While a watch cannot be sure of marks, it is asked more often, unless that many are unanswered. */
const UNANSWERED_HURRY = 2;
const HURRY = 10;
/** A server that reads a long history is silent too: each silent stream in a row is given twice the time, so often. */
const PATIENCE_MAX = 4;

export function createWatchHub({ hosts, clock, log, limits }: HubParts): WatchHub {
  const members = new Set<Member>();
  const closing = new AbortController();
  let stream: Stream | undefined;
  let running: Promise<void> | undefined;
  let silences = 0;

  const ask = (on: Stream, member: Member, start = member.cursor.position + 1): void => {
    const id = String(on.nextId++);
    member.id = id;
    on.byId.set(id, member);
    on.asked.push({ member, id, start });
    on.calls.write({
      create_request: { ...member.range, start_revision: start, watch_id: id, fragment: true },
    });
  };

  const forget = (member: Member): void => {
    if (member.id === undefined) return;
    stream?.byId.delete(member.id);
    stream?.calls.write({ cancel_request: { watch_id: member.id } });
    member.id = undefined;
    member.isAhead = false;
    member.cursor.cut();
  };

  const end = (member: Member, error: Error): void => {
    forget(member);
    members.delete(member);
    member.sink.end(error);
  };

  const onCreated = (on: Stream, answer: IWatchResponse): void => {
    const asked = on.asked.shift();
    // Given up meanwhile, and perhaps asked for again under another number.
    if (asked === undefined || asked.member.id !== asked.id) return;
    const { member, id } = asked;
    if (answer.canceled) {
      on.byId.delete(id);
      member.id = undefined;
      return end(member, refused(answer));
    }
    const revision = Number(answer.header.revision);
    member.isAhead = asked.start > revision;
    member.cursor.created(revision, on.questions - on.answers);
  };

  /** Believed or not, it is a sign of life. */
  const mark = (member: Member, revision: number, ofAll: boolean): void => {
    member.isAhead = false;
    member.cursor.mark(revision, ofAll);
    member.sink.deliver([], member.cursor.position);
  };

  const onAnswer = (on: Stream, answer: IWatchResponse): void => {
    on.heardAtMs = clock.monotonicMs();
    const revision = Number(answer.header.revision);
    if (answer.created) return onCreated(on, answer);
    if (answer.watch_id === ALL) {
      on.answers++;
      silences = 0;
      for (const member of on.byId.values()) mark(member, revision, true);
      return;
    }
    const member = on.byId.get(answer.watch_id);
    // Of one that was given up: its last answers may still come.
    if (member === undefined) return;
    if (answer.canceled) {
      on.byId.delete(answer.watch_id);
      member.id = undefined;
      member.cursor.cut();
      // Asked for with the last one that was delivered (`settle`), which is gone; what follows it is not.
      if (Number(answer.compact_revision) === member.cursor.position + 1) return ask(on, member);
      return end(member, refused(answer));
    }
    member.isAhead = false;
    if (answer.events.length === 0) return mark(member, revision, false);
    const batch = member.cursor.events(answer.events, answer.fragment);
    if (batch !== undefined) member.sink.deliver(batch.events, batch.revision);
  };

  /** Resolves with why when the stream is over. */
  const carry = (on: Stream): Promise<Error> =>
    new Promise((over) => {
      on.calls.on("data", (answer: IWatchResponse) => onAnswer(on, answer));
      on.calls.on("error", (error: Error) => over(error));
      on.calls.on("end", () => over(new Error("etcd ended the stream")));
      for (const member of members) if (!member.paused) ask(on, member);
    });

  /**
   * While one of its watches waits for a revision that is yet to come, a stream gets no marks at all (etcd's
   * `progressIfSync`), and on a quiet store that is for ever. So who has heard nothing is asked for again from the
   * revision that it has, whose events it drops. Not at once: etcd serves such a watch up to 100 ms late.
   */
  const settle = (on: Stream): boolean => {
    const ahead = [...on.byId.values()].filter((member) => member.isAhead);
    for (const member of ahead) {
      forget(member);
      ask(on, member, member.cursor.position);
    }
    return ahead.length > 0;
  };

  /** Asks for progress, again and again; resolves when the stream has been silent for too long. */
  const listen = async (on: Stream, signal: AbortSignal): Promise<Error> => {
    const patienceMs = limits.silenceMs * 2 ** Math.min(silences, PATIENCE_MAX);
    for (;;) {
      const unanswered = on.questions - on.answers;
      const unsure = [...on.byId.values()].some((member) => member.cursor.isUnsure);
      const hurry = unsure && unanswered <= UNANSWERED_HURRY;
      await clock.sleep(hurry ? limits.progressMs / HURRY : limits.progressMs, signal);
      // Without a watch nobody answers.
      if (on.byId.size === 0) {
        on.heardAtMs = clock.monotonicMs();
        continue;
      }
      const silentMs = clock.monotonicMs() - on.heardAtMs;
      if (silentMs > patienceMs) {
        silences++;
        return new Error(`etcd has said nothing for ${Math.round(silentMs)} ms`);
      }
      if (unanswered > UNANSWERED_MAX) return new Error("etcd leaves questions for progress unanswered");
      if (settle(on)) continue;
      on.questions++;
      on.calls.write({ progress_request: {} });
    }
  };

  /** Resolves with why it is over; with nothing when nobody needs it any more. */
  const oneStream = async (host: EtcdHost): Promise<Error | undefined> => {
    const calls = (await host.client.watchClient.watch(streamOptions())) as Stream["calls"];
    const of = { host, calls, byId: new Map<string, Member>(), asked: [] };
    const on: Stream = {
      ...of,
      nextId: 1,
      questions: 0,
      answers: 0,
      heardAtMs: clock.monotonicMs(),
      left: false,
    };
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, closing.signal]);
    stream = on;
    const silent = listen(on, signal);
    try {
      const error = await Promise.race([carry(on), silent]);
      return on.left ? undefined : error;
    } finally {
      if (stream === on) stream = undefined;
      done.abort(new Error("the stream is over"));
      await silent.catch(() => undefined);
      calls.cancel();
      for (const member of members) {
        member.id = undefined;
        member.isAhead = false;
        member.cursor.cut();
      }
    }
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted && members.size > 0) {
      const host = hosts.current();
      const error = await oneStream(host).catch((thrown: unknown) =>
        thrown instanceof Error ? thrown : new Error(String(thrown)),
      );
      if (closing.signal.aborted) return;
      if (error === undefined) continue;
      log.warn("etcd.watch.cut", { address: host.address, watches: members.size, error: error.message });
      hosts.failed(host);
      await clock.sleep(limits.retryPauseMs, closing.signal);
      await hosts.settled();
    }
  };

  const start = (): void => {
    running ??= run()
      .catch(() => undefined)
      .finally(() => {
        running = undefined;
        if (members.size > 0 && !closing.signal.aborted) start();
      });
  };

  return {
    watch(range, afterRevision, sink) {
      const member: Member = {
        range,
        cursor: createCursor(afterRevision),
        sink,
        paused: false,
        id: undefined,
        isAhead: false,
      };
      if (closing.signal.aborted) {
        sink.end(closing.signal.reason as Error);
        return { pause: () => undefined, resume: () => undefined, close: () => undefined };
      }
      members.add(member);
      if (stream === undefined) start();
      else ask(stream, member);
      return {
        pause() {
          member.paused = true;
          forget(member);
        },
        resume() {
          if (!member.paused || !members.has(member)) return;
          member.paused = false;
          if (stream === undefined) start();
          else ask(stream, member);
        },
        close() {
          forget(member);
          members.delete(member);
          if (members.size > 0 || stream === undefined) return;
          stream.left = true;
          stream.calls.cancel();
          stream = undefined;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      const reason = new StoreUnavailableError("the store is closed: open it again");
      closing.abort(reason);
      for (const member of members) member.sink.end(reason);
      members.clear();
      stream?.calls.cancel();
      await running;
    },
  };
}

function refused(answer: IWatchResponse): Error {
  const compacted = Number(answer.compact_revision);
  if (compacted > 0) return new CompactedError(compacted);
  return new StoreUnavailableError(`etcd refuses the watch: ${answer.cancel_reason}`);
}
