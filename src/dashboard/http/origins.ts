// Who may be the one that a browser asks for: names in `Host`, and where a request comes from. Pure: tables hold it.
import type { IncomingHttpHeaders } from 'node:http'

/** Name of a `Host` or authority without its port, in lower case; undefined where it is none. */
export function hostNameOf(authority: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:@/[\]\s]+))(?::\d{1,5})?$/.exec(authority)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}

/** Whether `Host` is one of ours. Anything else is a name that somebody let point here (DNS rebinding). */
export function isOurHost(host: string | undefined, allowed: readonly string[]): boolean {
  const name = host === undefined ? undefined : hostNameOf(host)
  return name !== undefined && allowed.includes(name)
}

interface OwnOrigin {
  readonly isSecure: boolean
  readonly allowedHosts: readonly string[]
  /** Behind a proxy scheme, port and perhaps name are the proxy's: then any allowed host is our own. */
  readonly isBehindProxy: boolean
}

/** Why a write does not come from our own page; undefined: it does. */
export function foreignOrigin(headers: IncomingHttpHeaders, own: OwnOrigin): string | undefined {
  const { origin, host = '' } = headers
  if (origin === undefined) return 'no Origin'
  const url = URL.parse(origin)
  if (url === null || url.origin !== origin.toLowerCase()) return 'an Origin that is none'
  if (own.isBehindProxy) return isOurHost(url.host, own.allowedHosts) ? undefined : 'another origin'
  // URL leaves the standard port out.
  const ours = URL.parse(`${own.isSecure ? 'https' : 'http'}://${host}`)
  return ours !== null && ours.origin === url.origin ? undefined : 'another origin'
}

/**
 * Whether another site's page makes this request: browsers say so in `Sec-Fetch-Site`, programs send none. What the viewer typed
 * (`none`) may be read, for no page can make a browser say that; it may not write.
 */
export function isCrossSite(headers: IncomingHttpHeaders, isWrite: boolean): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin') return false
  return isWrite || site !== 'none'
}

/** Whether the browser came by a link of another site: then cookies of ours are not sent along, though there may be some. */
export function isLinkedFromElsewhere(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  return headers['sec-fetch-mode'] === 'navigate' && (site === 'cross-site' || site === 'same-site')
}
