/** The plural that a path is about, with its subresource: `deployments`, `disruptionpermits/status`; empty for other paths. */
export function requestResource(path: string): string {
  const [, rest = ''] = /^\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/(?:namespaces\/[^/]+\/(?=.))?(.*)$/.exec(path) ?? []
  const [plural = '', , subresource] = rest.split('/')
  return subresource === undefined ? plural : `${plural}/${subresource}`
}
