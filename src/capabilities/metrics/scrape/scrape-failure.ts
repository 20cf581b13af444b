// Why a kubelet could not be read, in one word for the metric and one sentence for the log.
import { NoMetricsError } from '../decode/exposition-text.ts'

export type FailureReason =
  | 'address'
  | 'connection'
  | 'forbidden'
  | 'format'
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

const rightRemedy =
  'grant "get" on nodes/metrics to the ServiceAccount, and see that the kubelet asks the API server (authentication.webhook.enabled, authorization.mode Webhook)'
const tlsRemedy =
  'set serverTLSBootstrap: true in the kubelet and approve its CertificateSigningRequests, or choose addresses that the certificate names (--kubelet-preferred-address-types)'

/** The failure of an answer with this status. */
export function statusFailure(status: number): ScrapeFailure {
  const message = `request failed, status: ${status}`
  if (status === 401) return { reason: 'unauthorized', message, remedy: rightRemedy }
  if (status === 403) return { reason: 'forbidden', message, remedy: rightRemedy }
  return { reason: 'status', message }
}

/** The failure that an error stands for. */
export function failureOf(error: unknown, address: string): ScrapeFailure {
  if (error instanceof NoMetricsError) return { reason: 'format', message: error.message }
  const chain = [...causesOf(error)]
  const message = chain.map(({ message: text }) => text).find(text => text !== '') ?? String(error)
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
