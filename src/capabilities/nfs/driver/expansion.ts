// Whether a volume may become larger, where the settings hold it to something: NFS itself holds nobody to a size. A decision only.

export interface ExpansionLimits {
  /** What is added has to have room on the share now. */
  readonly needsRoom: boolean
  /** Bytes that the volumes of a namespace may have been granted together. */
  readonly mostPerNamespace: bigint | undefined
}

export const unlimited: ExpansionLimits = { needsRoom: false, mostPerNamespace: undefined }

interface ExpansionFacts {
  /** Bytes that are asked for. */
  readonly required: bigint
  /** Bytes that the volume has been granted; undefined where nobody knows. */
  readonly granted: bigint | undefined
  /** Bytes that its share has left; asked for only where room is needed. */
  readonly available: bigint | undefined
  /** Its namespace, with what the other volumes of the driver there have been granted; undefined where it has none. */
  readonly namespace: { readonly name: string; readonly others: bigint } | undefined
}

/** Why a volume may not have so much, in a sentence; undefined where it may. One that has so much already is never refused. */
export function expansionProblem(
  { needsRoom, mostPerNamespace }: ExpansionLimits,
  { required, granted, available, namespace }: ExpansionFacts,
): string | undefined {
  const added = required - (granted ?? 0n)
  if (added <= 0n) return undefined
  if (needsRoom && available !== undefined && added > available)
    return `${added} bytes are added, and its share has ${available} left (controller.expansion.needsRoom)`
  if (mostPerNamespace !== undefined && namespace !== undefined && namespace.others + required > mostPerNamespace)
    return `the volumes of namespace ${namespace.name} would have ${namespace.others + required} bytes, ${mostPerNamespace} are allowed (controller.expansion.mostPerNamespace)`
  return undefined
}
