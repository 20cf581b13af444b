// Which keys of a source a template uses (config-reload P6): those of `valueFrom`, `items` and `subPath`; `envFrom` and whole mounts use all.
import type { ContainerUse, PodUse, VolumeSource } from '#cluster/references.ts'
import { isSource, volumesOf } from '../rollouts/target-container.ts'
import type { SourceReference } from './source-state.ts'

/** The keys, or `all`: also where nothing of the template uses the source, because somebody named it. */
export function usedKeys(pod: PodUse, source: SourceReference): ReadonlySet<string> | 'all' {
  const keys = new Set<string>()
  for (const container of [...pod.containers, ...pod.initContainers]) {
    for (const variable of container.environment) {
      if (!isSource(variable, source)) continue
      if (variable.key === undefined) return 'all'
      keys.add(variable.key)
    }
    for (const volume of volumesOf(pod, source)) {
      const mounted = mountedKeys(container, volume)
      if (mounted === 'all') return 'all'
      for (const key of mounted) keys.add(key)
    }
  }
  return keys.size === 0 ? 'all' : keys
}

/** The keys that the container's mounts of the volume show it. */
function mountedKeys({ mounts }: ContainerUse, source: VolumeSource): readonly string[] | 'all' {
  const ofVolume = mounts.filter(({ volume }) => volume === source.volume)
  if (ofVolume.length === 0) return []
  const whole = ofVolume.some(({ subPath }) => subPath === undefined)
  if (whole) return source.keys ?? 'all'
  const shown = ofVolume.map(({ subPath }) => keysBelow(source, subPath ?? ''))
  return shown.includes('all') ? 'all' : shown.flatMap(keys => (keys === 'all' ? [] : keys))
}

/** The keys whose files lie at `subPath` or below it; a path with a variable in it may be any. */
function keysBelow({ keys, paths }: VolumeSource, subPath: string): readonly string[] | 'all' {
  if (subPath.includes('$(')) return keys ?? 'all'
  const wanted = subPath.replace(/^\.\//, '').replace(/\/+$/, '')
  if (keys === undefined || paths === undefined) return [wanted]
  return keys.filter((_, index) => paths[index] === wanted || paths[index]?.startsWith(`${wanted}/`))
}
