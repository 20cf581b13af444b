// The text of a `hosts.toml`, byte for byte as upstream writes it: containerd's nodes are compared by these bytes.

/** A host that containerd asks before the registry itself. */
export interface HostBlock {
  /** `http://10.0.0.7:30020` */
  readonly url: string
  readonly capabilities: readonly string[]
  /** Go's notation; empty: no line. */
  readonly dialTimeout: string
  /** Value of the header `Authorization`. */
  readonly authorization: string | undefined
}

/** One host, without a newline at its end. */
function hostBlockText({ url, capabilities, dialTimeout, authorization }: HostBlock): string {
  return [
    `[host.'${url}']`,
    `capabilities = [${capabilities.map(word => `'${word}'`).join(', ')}]`,
    ...(dialTimeout === '' ? [] : [`dial_timeout = '${dialTimeout}'`]),
    ...(authorization === undefined ? [] : [`[host.'${url}'.header]`, `Authorization = '${authorization}'`]),
  ].join('\n')
}

/**
 * A whole file, without a newline at its end. `top` is what stands before the first host: `server = '…'`; `rest` are hosts that come
 * after ours, as text.
 */
export function hostsFileText(parts: {
  readonly top: string
  readonly hosts: readonly HostBlock[]
  readonly rest: readonly string[]
}): string {
  return [parts.top, ...parts.hosts.map(hostBlockText), ...parts.rest].filter(part => part !== '').join('\n\n')
}

/** The registry as the last resort: Docker Hub answers under another name than images have. */
export function serverLine(registry: { readonly scheme: string; readonly host: string } | undefined): string {
  if (registry === undefined) return ''
  const url = `${registry.scheme}://${registry.host}`
  return `server = '${url === 'https://docker.io' ? 'https://registry-1.docker.io' : url}'`
}

/** `Basic …` of a user and a password; `undefined` where both are empty. */
export function basicAuthorization(
  auth: { readonly username: string; readonly password: string } | undefined,
): string | undefined {
  if (auth === undefined || (auth.username === '' && auth.password === '')) return undefined
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`, 'utf8').toString('base64')}`
}
