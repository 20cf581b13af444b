// Whether a chart with its version is at a registry: asked as anybody may ask, by the heads of manifests. Nothing is known of credentials here, so
// none can go astray; a token that a registry's own service gives out goes to that registry alone.
import { messageOf } from '#kube/log.ts'

/** `absent`: the registry says that there is none. `unknown`: it was not said, and why. */
export type TagLook = { readonly kind: 'there' | 'absent' } | { readonly kind: 'unknown'; readonly because: string }

/** How a chart with its version is named here: `oci://host/charts/app:1.2.3`. */
export const tagKey = (address: string, tag: string): string => `${address}:${tag}`

interface LookOptions {
  readonly signal: AbortSignal
  readonly fetch?: typeof fetch
}

const answerLimitMs = 10_000
const largestTokenBytes = 64 * 1024
const mostAtOnce = 4
const mostRedirects = 3
const kinds = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

interface Artefact {
  readonly address: string
  readonly tag: string
}

/** Asks for each once, a few at a time. Never throws but `signal.reason`. */
export async function lookForTags(
  artefacts: readonly Artefact[],
  { signal, fetch: send = fetch }: LookOptions,
): Promise<ReadonlyMap<string, TagLook>> {
  const waiting = [...new Map(artefacts.map(one => [tagKey(one.address, one.tag), one]))]
  const found = new Map<string, TagLook>()
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      signal.throwIfAborted()
      const [key, artefact] = next
      try {
        found.set(key, await look(artefact, send, signal))
      } catch (error) {
        signal.throwIfAborted()
        found.set(key, { kind: 'unknown', because: causeOf(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: mostAtOnce }, work))
  return found
}

/** What was wrong below a request that failed. */
const causeOf = (error: unknown): string => messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)

async function look({ address, tag }: Artefact, send: typeof fetch, signal: AbortSignal): Promise<TagLook> {
  const url = manifestUrl(address, tag)
  if (url === undefined) return { kind: 'unknown', because: `${address} is no address of a registry` }
  let authorization: string | undefined
  for (const method of ['HEAD', 'GET'] as const) {
    let answer = await asked(url, { method, authorization }, send, signal)
    const challenge = answer.headers.get('www-authenticate')
    if (answer.status === 401 && authorization === undefined && challenge !== null) {
      authorization = await anonymousToken(challenge, url, send, signal)
      if (authorization !== undefined) answer = await asked(url, { method, authorization }, send, signal)
    }
    if (answer.ok) return { kind: 'there' }
    if (answer.status === 404) return { kind: 'absent' }
    if (answer.status === 401 || answer.status === 403)
      return { kind: 'unknown', because: `${url.host} shows it only to who has credentials (${answer.status})` }
    // A registry that knows no HEAD is asked with GET.
    if (answer.status !== 405) return { kind: 'unknown', because: `${url.host} answered ${answer.status}` }
  }
  return { kind: 'unknown', because: `${url.host} takes neither HEAD nor GET` }
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host)

/** By https, on this very machine by http, as other clients do. */
function manifestUrl(address: string, tag: string): URL | undefined {
  const [, host = '', path = ''] = /^oci:\/\/([^/\s]+)\/(\S+)$/.exec(address) ?? []
  if (path === '' || !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag)) return undefined
  const served = host === 'docker.io' ? 'registry-1.docker.io' : host
  const url = URL.parse(`https://${served}/v2/${path}/manifests/${tag}`)
  if (url === null || url.username !== '' || url.password !== '') return undefined
  return isLoopback(url.hostname) ? (URL.parse(url.href.replace(/^https:/, 'http:')) ?? undefined) : url
}

/** Redirects are followed by hand: elsewhere nothing of ours is shown. */
async function asked(
  url: URL,
  { method, authorization }: { readonly method: 'HEAD' | 'GET'; readonly authorization: string | undefined },
  send: typeof fetch,
  signal: AbortSignal,
): Promise<Response> {
  let at = url
  for (let followed = 0; ; followed++) {
    const isSameHost = at.origin === url.origin
    const answer = await send(at.href, {
      method,
      redirect: 'manual',
      credentials: 'omit',
      headers: { accept: kinds, ...(authorization === undefined || !isSameHost ? {} : { authorization }) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerLimitMs)]),
    })
    await answer.body?.cancel()
    const to = answer.headers.get('location')
    if (answer.status < 300 || answer.status > 399 || to === null || followed >= mostRedirects) return answer
    const next = URL.parse(to, at.href)
    if (next === null || (next.protocol !== 'https:' && next.origin !== url.origin)) return answer
    at = next
  }
}

/** What the token service that a challenge names gives to anybody; undefined: nothing. It is asked without credentials, by https or on this machine. */
async function anonymousToken(challenge: string, url: URL, send: typeof fetch, signal: AbortSignal): Promise<string | undefined> {
  if (!/^bearer\s/i.test(challenge)) return undefined
  const given = new Map(
    [...challenge.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, key = '', value = '']) => [key.toLowerCase(), value]),
  )
  const realm = URL.parse(given.get('realm') ?? '')
  if (realm === null || (realm.protocol !== 'https:' && !(isLoopback(realm.hostname) && isLoopback(url.hostname))))
    return undefined
  for (const key of ['service', 'scope']) {
    const value = given.get(key)
    if (value !== undefined) realm.searchParams.set(key, value)
  }
  const answer = await send(realm.href, {
    redirect: 'error',
    credentials: 'omit',
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerLimitMs)]),
  })
  if (!answer.ok) {
    await answer.body?.cancel()
    return undefined
  }
  const read: unknown = JSON.parse(await boundedText(answer))
  const { token, access_token: access = token } = Object(read)
  return typeof access === 'string' && access !== '' ? `Bearer ${access}` : undefined
}

async function boundedText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body ?? []) {
    size += chunk.length
    if (size > largestTokenBytes) throw new Error(`${answer.url}: a token of more than ${largestTokenBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
