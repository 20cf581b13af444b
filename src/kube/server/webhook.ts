// The HTTPS server that API servers send admission reviews to. Connections, bodies and what is in them are bounded in a thread apart, handlers
// run here; certificates are exchanged while it runs, and open connections live on.

import { systemClock } from '../clock.ts'
import { type AdmissionSurroundings, answerAdmission, type Webhook, type WebhookCall, type WebhookReply } from './admission.ts'
import type { KeyPair } from './certificates.ts'
import { answerConversion, type Converter, converterPath } from './conversion.ts'
import { Front } from './front/front.ts'
import type { FrontTls } from './front/front-messages.ts'
import { keptConnections } from './listening.ts'

/** Versions and ciphers are Node's unless given. */
type ServedTls = KeyPair & Pick<FrontTls, 'minVersion' | 'ciphers'>

interface WebhookServerOptions extends AdmissionSurroundings {
  readonly webhooks: readonly Webhook[]
  /** Further paths, and that of the webhook which each is: an upstream's configuration names them. */
  readonly paths?: ReadonlyMap<string, string>
  /** Converters of our own kinds that are served in several versions. */
  readonly converters?: readonly Converter[]
  readonly tls: ServedTls
  /** 0 takes any free port. */
  readonly port: number
  /** All addresses unless given. */
  readonly host?: string
  /** PEM: who has no certificate of it is refused before a request is read. */
  readonly clientAuthority?: string
  /** The thread in which it listens; one of its own unless given. */
  readonly front?: Front
}

export interface WebhookServer extends AsyncDisposable {
  readonly port: number
  /** Used from the next connection on. */
  setCertificate(tls: ServedTls): void
}

/** An object of 3 MiB (what API servers take), the one before it, and room for both as JSON. Lists of our own kinds are converted by pages. */
const bodyLimit = 8 * 1024 * 1024
/** Objects within objects of a review, and its values: ten times what a pod of 1.5 MiB has. */
const deepestReview = 256
const mostValues = 500_000
const connectionsLimit = 512

/** Listens until disposed of: then new connections are refused, calls under way are answered, idle connections closed. */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const { tls, port, host, clientAuthority, log } = options
  const asked = clientAuthority === undefined ? {} : { clientAuthority }
  await using opening = new AsyncDisposableStack()
  const front = options.front ?? opening.use(new Front({ clock: systemClock, log }))
  // To start takes the host's time, not the cluster's.
  using _held = options.clock.hold()
  const listener = opening.use(
    await front.listen(
      {
        name: 'webhooks',
        port,
        ...(host === undefined ? {} : { host }),
        tls: { ...tls, ...asked },
        connections: connectionsLimit,
        quietMs: keptConnections.keepAliveTimeout,
        headMs: keptConnections.headersTimeout,
        body: { mostBytes: bodyLimit, json: { deepest: deepestReview, mostValues } },
      },
      async call => {
        const { status, contentType, body } = await answer(call, options)
        return { status, headers: { 'content-type': contentType }, body }
      },
    ),
  )
  const opened = opening.move()
  return {
    port: listener.port,
    setCertificate: renewed => listener.setCertificate({ ...renewed, ...asked }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

function answer(call: WebhookCall, options: WebhookServerOptions): Promise<WebhookReply> {
  const [path = '', ...query] = call.url.split('?')
  const converter = options.converters?.find(candidate => converterPath(candidate) === path)
  if (converter !== undefined) return Promise.resolve(answerConversion(converter, call, options.log))
  const known = options.paths?.get(path)
  const url = known === undefined ? call.url : [known, ...query].join('?')
  return answerAdmission(options.webhooks, { ...call, url }, options)
}
