// Which proxy leads to a server: the kubeconfig's, else that of the environment unless NO_PROXY names the server.
import { BlockList, isIP } from 'node:net'

interface ProxyQuestion {
  readonly server: string
  readonly proxyUrl: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The proxy's address; `undefined` for none. */
export function proxyFor({ server, proxyUrl, environment }: ProxyQuestion): string | undefined {
  if (proxyUrl !== undefined) return proxyUrl
  const url = new URL(server)
  const variable = (name: string) => environment[name] || environment[name.toLowerCase()] || undefined
  const proxy = variable(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY')
  if (proxy === undefined || isExempt(url, variable('NO_PROXY') ?? '')) return undefined
  return proxy.includes('://') ? proxy : `http://${proxy}`
}

function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (host === 'localhost' || host === '::1' || /^127\./.test(host)) return true
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  return list
    .split(',')
    .map(entry => entry.trim().toLowerCase())
    .some(entry => entry !== '' && matches(entry, host, port))
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  if (entry.includes('/')) return isInRange(entry, host)
  const [, name = entry, wanted] = /^(.*):(\d+)$/.exec(isIP(entry) === 6 ? '' : entry) ?? []
  if (wanted !== undefined && wanted !== port) return false
  if (name.startsWith('.') || name.startsWith('*.')) return host.endsWith(name.replace(/^\*/, ''))
  return host === name || host.endsWith(`.${name}`)
}

function isInRange(range: string, host: string): boolean {
  const family = isIP(host)
  const [address = '', bits = ''] = range.split('/')
  if (family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(address, Number(bits), kind)
  return list.check(host, kind)
}
