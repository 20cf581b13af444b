// Placeholders in `subDir`: what a folder is called after the claim it is made for.

/** Values of a claim, as the provisioner gives them or as the API server has them. */
export interface ClaimFacts {
  readonly labels: ReadonlyMap<string, string>
  readonly annotations: ReadonlyMap<string, string>
  readonly storageClass: string
}

/** Keys of parameters by which the provisioner says for which claim a volume is. */
export const metadataKeys = {
  claim: 'csi.storage.k8s.io/pvc/name',
  namespace: 'csi.storage.k8s.io/pvc/namespace',
  volume: 'csi.storage.k8s.io/pv/name',
} as const

/** Upstream's placeholders, each with the key of what stands for it. */
const given = [
  ['pvc.metadata.name', metadataKeys.claim],
  ['pvc.metadata.namespace', metadataKeys.namespace],
  ['pv.metadata.name', metadataKeys.volume],
] as const

/** Placeholders that only a look at the claim answers. Labels and annotations are written with quotes of either kind. */
const asked = /\$\{(?:pvc\.metadata\.(labels|annotations)\[(?:'([^']*)'|"([^"]*)")\]|storageclass\.metadata\.name)\}/g

/** Whether the claim itself is to be looked at. */
export const asksForClaim = (subDir: string): boolean => subDir.search(asked) !== -1

/** @param parameters by keys in lower case. A placeholder without a value stays as it is, as upstream has it. */
export function expandGiven(subDir: string, parameters: ReadonlyMap<string, string>): string {
  let expanded = subDir
  for (const [placeholder, key] of given) {
    const value = parameters.get(key)
    if (value !== undefined) expanded = expanded.replaceAll(`\${${placeholder}}`, () => value)
  }
  return expanded
}

/** A label or an annotation that the claim does not have is left out. */
export function expandAsked(subDir: string, { labels, annotations, storageClass }: ClaimFacts): string {
  return subDir.replace(asked, (_whole, of: string | undefined, single: string | undefined, double: string | undefined) => {
    if (of === undefined) return asSegment(storageClass)
    return asSegment((of === 'labels' ? labels : annotations).get(single ?? double ?? '') ?? '')
  })
}

/** Users write annotations: what they write is one segment of a path, and leads nowhere. */
function asSegment(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name of a folder has none
  const safe = value.replace(/[/\\#,\u0000-\u001f\u007f]|\$(?=\{)/g, '_')
  return /^\.{1,2}$/.test(safe) ? safe.replaceAll('.', '_') : safe
}
