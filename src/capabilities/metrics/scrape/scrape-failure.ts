// Why a kubelet could not be read, in one word for the metric and one sentence for the log.
import { ListDecodeError } from '#kube/client/list-stream.ts'
import { UnreadableAnswer } from '#kube/client/outgoing-http.ts'
import { messageOf } from '#kube/log.ts'
import { NoMetricsError } from '../decode/exposition-text.ts'
import { NoSummaryError } from '../decode/storage-summary.ts'
import { PinRefused } from '../pins/kubelet-pins.ts'

export type FailureReason =
  | 'address'
  | 'connection'
  | 'forbidden'
  | 'format'
  | 'pin'
  | 'status'
  | 'timeout'
  | 'tls'
  | 'too-large'
  | 'unauthorized'

export interface ScrapeFailure {
  readonly reason: FailureReason
  readonly message: string
  /** What can be done about it, where that is known. */
  readonly remedy?: string
}

const rightRemedy = (right: string) =>
  `grant "get" on ${right} to the ServiceAccount, and see that the kubelet asks the API server (authentication.webhook.enabled, authorization.mode Webhook)`
const tlsRemedy =
  'set serverTLSBootstrap: true in the kubelet and approve its CertificateSigningRequests, or choose addresses that the certificate names (--kubelet-preferred-address-types)'

const formatErrors = [NoMetricsError, NoSummaryError, ListDecodeError, UnreadableAnswer]

/** The failure of an answer with this status. */
export function statusFailure(status: number, right = 'nodes/metrics'): ScrapeFailure {
  const message = `request failed, status: ${status}`
  if (status === 401) return { reason: 'unauthorized', message, remedy: rightRemedy(right) }
  if (status === 403) return { reason: 'forbidden', message, remedy: rightRemedy(right) }
  return { reason: 'status', message }
}

/** The failure that an error stands for. */
export function failureOf(error: unknown, address: string): ScrapeFailure {
  if (formatErrors.some(kind => error instanceof kind)) return { reason: 'format', message: messageOf(error) }
  const chain = [...causesOf(error)]
  const message = chain.map(({ message: text }) => text).find(text => text !== '') ?? String(error)
  const refusal = chain.find(({ refused }) => refused !== undefined)?.refused
  if (refusal !== undefined)
    return { reason: 'pin', message: refusal.message, ...(refusal.remedy === undefined ? {} : { remedy: refusal.remedy }) }
  const codes = chain.map(({ code }) => code ?? '')
  if (chain.some(({ name }) => name === 'TimeoutError') || codes.some(code => /TIMEOUT|ETIMEDOUT/.test(code)))
    return { reason: 'timeout', message: `no answer in time: ${message}` }
  const tls = codes.find(isTlsCode)
  if (tls !== undefined) {
    const names = chain.map(({ cert }) => namesOf(cert)).find(found => found !== undefined)
    const said = names === undefined ? '' : `; the certificate names ${names}`
    return { reason: 'tls', message: `${message} (asked as ${address}${said})`, remedy: tlsRemedy }
  }
  if (/larger than \d+ bytes/.test(message)) return { reason: 'too-large', message }
  return { reason: 'connection', message }
}

interface Cause {
  readonly name?: string
  readonly message: string
  readonly code?: string
  readonly cert?: unknown
  readonly refused: PinRefused | undefined
}

const deepestCause = 5

function* causesOf(error: unknown): Generator<Cause> {
  let current = error
  for (let depth = 0; current instanceof Error && depth < deepestCause; depth++) {
    const code: unknown = Reflect.get(current, 'code')
    yield {
      name: current.name,
      message: current.message,
      ...(typeof code === 'string' ? { code } : {}),
      cert: Reflect.get(current, 'cert'),
      refused: current instanceof PinRefused ? current : undefined,
    }
    current = current.cause
  }
}

/** Codes by which Node's TLS refuses a certificate. */
function isTlsCode(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH)/.test(code)
}

function namesOf(certificate: unknown): string | undefined {
  if (typeof certificate !== 'object' || certificate === null) return undefined
  const names: unknown = Reflect.get(certificate, 'subjectaltname')
  return typeof names === 'string' ? names : 'nothing'
}
