// Which container takes the mark of a change (config-reload 3.5): the one that uses the source, or the first for what is named.
import type { ContainerUse, PodUse, ReferredKind, VolumeSource } from '#cluster/references.ts'
import type { SourceReference, SourceType } from '../sources/source-state.ts'

const kindsOfTypes: Readonly<Record<SourceType, ReferredKind>> = {
  configmap: 'ConfigMap',
  secret: 'Secret',
  secretproviderclass: 'SecretProviderClass',
}

/** Whether something that a template refers to is the source, which is in the template's own namespace. */
export function isSource(
  referred: { readonly kind: ReferredKind; readonly name: string },
  { type, name }: Pick<SourceReference, 'type' | 'name'>,
): boolean {
  return referred.kind === kindsOfTypes[type] && referred.name === name
}

/**
 * The regular container that takes the mark: the one that mounts or reads the source, the first one where only an init container does, or
 * where `mustUse` is off. `undefined`: none, the workload does not use it. Unlike upstream, a second volume of the source is tried where
 * nobody mounts the first.
 */
export function targetContainer(
  pod: PodUse,
  source: SourceReference,
  options: { readonly mustUse: boolean },
): string | undefined {
  const [first] = pod.containers
  const user = userOf(pod, source)
  if (user === 'init') return first?.name
  return user?.name ?? (options.mustUse ? undefined : first?.name)
}

/** The regular container that uses the source; `init`: only an init container does, by the way that is looked at first. */
function userOf(pod: PodUse, source: SourceReference): ContainerUse | 'init' | undefined {
  const volumes = new Set(pod.volumes.filter(volume => isSource(volume, source)).map(({ volume }) => volume))
  for (const volume of volumes) {
    const mounts = (container: ContainerUse) => container.mounts.some(mount => mount.volume === volume)
    const user = userBy(pod, mounts)
    if (user !== undefined) return user
  }
  return userBy(pod, container => container.environment.some(variable => isSource(variable, source)))
}

function userBy(pod: PodUse, uses: (container: ContainerUse) => boolean): ContainerUse | 'init' | undefined {
  return pod.containers.find(uses) ?? (pod.initContainers.some(uses) ? 'init' : undefined)
}

/** The volumes' sources that are this source. */
export function volumesOf(pod: PodUse, source: SourceReference): readonly VolumeSource[] {
  return pod.volumes.filter(volume => isSource(volume, source))
}
