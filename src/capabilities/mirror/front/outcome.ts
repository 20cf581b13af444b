// What became of a request for content, and the answer that says so.
import type { Readable } from 'node:stream'
import type { ByteRange, ContentInfo, Found, FoundElsewhere, NotFound } from '../contract.ts'
import { type Answer, beyondAnswer, type ContentHead, contentHead, textAnswer, unknownAnswer } from './answers.ts'
import type { AskedContent } from './request.ts'

export type Source = 'local' | 'peer' | 'relay'

/** A word of a bounded set, for `ballast_mirror_fallthrough_total`. */
export type FallReason = NotFound['reason'] | 'store' | 'read' | 'fault' | 'late' | 'busy' | 'not-allowed'

export type Outcome =
  | {
      readonly kind: 'content'
      readonly source: Source
      readonly content: Served
      readonly body: Readable | undefined
      /** In place of `body`: the data plane sends this file. */
      readonly path?: string | undefined
    }
  /** The data plane gets it from another node. */
  | ({ readonly kind: 'elsewhere' } & Omit<FoundElsewhere, 'outcome'>)
  /** A peer of ours is to ask one of these. */
  | { readonly kind: 'ask'; readonly peers: readonly string[] }
  | { readonly kind: 'beyond'; readonly size: number }
  | {
      readonly kind: 'absent'
      readonly message: string
      /** `undefined`: as it should be, nothing to count. */
      readonly reason: FallReason | undefined
      /** Attempts at other nodes; `undefined` where none was to be asked. */
      readonly attempts: number | undefined
    }

interface Served {
  readonly digest: ContentInfo['digest']
  /** Size of the whole, in bytes. */
  readonly size: number
  readonly mediaType: string
  readonly range: ByteRange | undefined
  /** The download is not at its end yet. */
  readonly isInFlight?: boolean
}

type Reply =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | {
      readonly kind: 'content'
      readonly head: ContentHead
      readonly body: Readable | undefined
      readonly path: string | undefined
      readonly source: Source
    }
  | ({ readonly kind: 'elsewhere' } & Omit<FoundElsewhere, 'outcome'>)

export function replyTo(asked: AskedContent, outcome: Outcome): Reply {
  switch (outcome.kind) {
    case 'content': {
      const { content, source, body, path } = outcome
      const head = contentHead(asked, { ...content, isLocal: source === 'local' })
      const headers = content.isInFlight === true ? { ...head.headers, 'x-ballast-inflight': '1' } : head.headers
      return { kind: 'content', head: { ...head, headers }, body, path, source }
    }
    case 'elsewhere':
      return outcome
    case 'ask': {
      const busy = textAnswer(503, '')
      return { kind: 'answer', answer: { ...busy, headers: { ...busy.headers, 'x-ballast-relay': outcome.peers.join(',') } } }
    }
    case 'beyond':
      return { kind: 'answer', answer: beyondAnswer(outcome.size) }
    case 'absent': {
      const { attempts, message } = outcome
      return { kind: 'answer', answer: unknownAnswer(asked, message, attempts === undefined ? undefined : { attempts }) }
    }
  }
}

/** What other nodes had of it. */
export function outcomeOf(fetched: Found | FoundElsewhere | NotFound): Outcome {
  if (fetched.outcome === 'elsewhere') return { kind: 'elsewhere', ...fetched }
  if (fetched.outcome === 'found') {
    const { source, body, digest, size, mediaType, range } = fetched
    return { kind: 'content', source, body, content: { digest, size, mediaType, range } }
  }
  const { beyond, message, reason, attempts } = fetched
  return beyond === undefined ? { kind: 'absent', message, reason, attempts } : { kind: 'beyond', size: beyond }
}
