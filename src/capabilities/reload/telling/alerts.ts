// Alerts: who was reloaded and for what, posted to a chat after it happened. Never content, never in the way of a reload.

import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { typeWords } from './events.ts'
import { type Message, post, shownUrl } from './outgoing-http.ts'
import type { ToldSource, ToldWorkload } from './telling.ts'

const mostWaiting = 1_000
const atOnce = 4

/** What a receiver is sent and what it has to answer. Whatever is not named is plain text. */
interface Sink {
  message(text: string): Message
  isTaken(status: number): boolean
}

const json = (body: object): Message => ({ body: JSON.stringify(body), contentType: 'application/json' })
const isExactlyOk = (status: number) => status === 200
/** Redirects are refused: an alert goes where it was sent, or nowhere. */
const isNoError = (status: number) => status < 300

const sinks: Readonly<Record<string, Sink>> = {
  slack: {
    message: text => json({ attachments: [{ color: 'good', author_name: 'Reloader', text }] }),
    isTaken: isNoError,
  },
  teams: { message: text => json({ text }), isTaken: isExactlyOk },
  gchat: { message: text => json({ text }), isTaken: isExactlyOk },
}

const plain: Sink = {
  message: text => ({ body: text.replaceAll('*', ''), contentType: 'text/plain' }),
  isTaken: isNoError,
}

/** The receiver of this name in any case; plain text for what is none. */
function sinkOf(name: string): Sink {
  const key = name.trim().toLowerCase()
  return Object.hasOwn(sinks, key) ? (sinks[key] ?? plain) : plain
}

function alertText(workload: ToldWorkload, source: ToldSource, additionalInfo: string): string {
  const text = `Reloader detected changes in *${source.name}* of type *${typeWords[source.type]}* in namespace *${source.namespace}*. Hence reloaded *${workload.name}* of type *${workload.kind}* in namespace *${workload.namespace}*`
  // A blank is what stands for an empty variable, to which upstream adds its colon all the same.
  return additionalInfo === '' ? text : `${additionalInfo.trim()} : ${text}`
}

interface AlertOptions {
  readonly url: URL
  readonly sink: string
  readonly proxy?: URL | undefined
  readonly additionalInfo: string
  readonly clock: Clock
  readonly log: Log
  readonly onResult?: (result: 'success' | 'error' | 'dropped') => void
}

/**
 * Sends alerts in the background, a few at once; disposing waits for those that are under way. Without a guard of addresses: the
 * configuration names the receiver, which may lie in the cluster, and no object of a user does.
 */
export class Alerts implements AsyncDisposable {
  readonly #options: AlertOptions
  readonly #http: OutgoingHttp
  readonly #waiting: Message[] = []
  readonly #sending = new Set<Promise<void>>()

  constructor(options: AlertOptions) {
    this.#options = options
    this.#http = new OutgoingHttp({ clock: options.clock, proxy: options.proxy?.href })
  }

  /** Returns at once. */
  send(workload: ToldWorkload, source: ToldSource): void {
    const { sink, additionalInfo, log, onResult } = this.#options
    if (this.#waiting.length >= mostWaiting) {
      log.warn({ waiting: mostWaiting, workload: workload.name }, 'alert dropped: too many wait')
      onResult?.('dropped')
      return
    }
    this.#waiting.push(sinkOf(sink).message(alertText(workload, source, additionalInfo)))
    this.#pump()
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    while (this.#sending.size > 0) await Promise.race(this.#sending)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const _ of this.#waiting.splice(0)) this.#options.onResult?.('dropped')
    await this.idle()
    await this.#http[Symbol.asyncDispose]()
  }

  #pump(): void {
    while (this.#sending.size < atOnce) {
      const message = this.#waiting.shift()
      if (message === undefined) return
      const sending = this.#post(message).finally(() => {
        this.#sending.delete(sending)
        this.#pump()
      })
      this.#sending.add(sending)
    }
  }

  /** Never rejects. */
  async #post(message: Message): Promise<void> {
    const { url, sink, log, onResult } = this.#options
    try {
      const status = await post(this.#http, url, message)
      const isTaken = sinkOf(sink).isTaken(status)
      if (!isTaken) log.error({ to: shownUrl(url), status }, 'alert refused by its receiver')
      onResult?.(isTaken ? 'success' : 'error')
    } catch (error) {
      log.error({ to: shownUrl(url), why: messageOf(error) }, 'alert not sent')
      onResult?.('error')
    }
  }
}
