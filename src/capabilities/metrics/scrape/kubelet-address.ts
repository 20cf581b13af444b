// Where a node's kubelet answers: address, port and path, as upstream chooses them.
import { isIPv6 } from 'node:net'

/** What is known of a node for that. */
export interface KubeletNode {
  readonly name: string
  readonly addresses: readonly { readonly type: string; readonly address: string }[]
  /** `status.daemonEndpoints.kubeletEndpoint.Port`; 0 where it says none. */
  readonly port: number
  /** The annotation that replaces the path; undefined without. */
  readonly path: string | undefined
}

export interface AddressRules {
  /** Types in the order of preference. */
  readonly addressTypes: readonly string[]
  readonly port: number
  readonly useNodeStatusPort: boolean
  readonly scheme: 'https' | 'http'
}

const standardPath = '/metrics/resource'
const storagePath = '/stats/summary'

/** The first type of the list that the node has; within it its first address. */
function addressOf(node: Pick<KubeletNode, 'addresses'>, types: readonly string[]): string | undefined {
  for (const type of types) {
    const found = node.addresses.find(address => address.type === type)
    if (found !== undefined) return found.address
  }
  return undefined
}

/** The path to ask for. Virtual kubelets have one of their own; one that could lead elsewhere is refused. */
export function pathOf({ path }: Pick<KubeletNode, 'path'>): { readonly path: string; readonly refused?: string } {
  if (path === undefined || path === '') return { path: standardPath }
  const isPlain = path.startsWith('/') && !path.startsWith('//') && !/\.\.|[?#\\\s]/.test(path)
  return isPlain ? { path } : { path: standardPath, refused: path }
}

/** The URLs of a kubelet; a sentence where the node has no address that is wanted. */
export function kubeletUrl(
  node: KubeletNode,
  rules: AddressRules,
): { readonly ok: true; readonly url: string; readonly storageUrl: string } | { readonly ok: false; readonly why: string } {
  const address = addressOf(node, rules.addressTypes)
  if (address === undefined) return { ok: false, why: `no address matched types [${rules.addressTypes.join(' ')}]` }
  const port = rules.useNodeStatusPort && node.port !== 0 ? node.port : rules.port
  const origin = `${rules.scheme}://${urlHost(address)}:${port}`
  return { ok: true, url: `${origin}${pathOf(node).path}`, storageUrl: `${origin}${storagePath}` }
}

/** An address as it stands in a URL. */
export function urlHost(address: string): string {
  return isIPv6(address) ? `[${address}]` : address
}
