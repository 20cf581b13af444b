// Volumes that end with a pod or stay behind on its node: what they are, and whether anybody would miss what they hold.
import type { PodState } from '#cluster/cluster-state.ts'
import { listIn, textIn } from '#cluster/loose-fields.ts'

interface LocalVolume {
  readonly name: string
  readonly kind: 'hostPath' | 'emptyDir' | 'ephemeral'
  /** The folder of the node; empty for other kinds. */
  readonly path: string
  /** A scratch volume: in memory, or mounted where programs keep what they can make again. */
  readonly isScratch: boolean
}

/** Folders that every node has of its own and that hold nothing of a pod. */
const nodeFolders = ['/boot', '/dev', '/etc', '/lib', '/lib64', '/proc', '/run', '/sbin', '/sys', '/usr', '/var/log', '/var/run']
/** Words of a mount path or of a volume's name by which people call what can be made again. */
const scratch = /(^|[-_./])(tmp|temp|cache|caches|run|shm|sock|socket|sockets|scratch|transcode|logs?|empty)([-_./]|$)/i

/** All local volumes of `pod`, in the order of its spec. */
export function localVolumes({ object }: PodState): readonly LocalVolume[] {
  return (object.spec.volumes ?? []).flatMap(volume => {
    const { name, hostPath, emptyDir, ephemeral } = volume
    const kind =
      hostPath !== undefined
        ? 'hostPath'
        : emptyDir !== undefined
          ? 'emptyDir'
          : ephemeral !== undefined
            ? 'ephemeral'
            : undefined
    if (kind === undefined) return []
    const mounts = [...object.spec.containers, ...(object.spec.initContainers ?? [])].flatMap(({ volumeMounts }) =>
      listIn({ volumeMounts }, 'volumeMounts').flatMap(mount =>
        textIn(mount, 'name') === name ? (textIn(mount, 'mountPath') ?? []) : [],
      ),
    )
    const isInMemory = textIn(emptyDir ?? {}, 'medium') === 'Memory'
    const isScratch = kind !== 'hostPath' && (isInMemory || [name, ...mounts].some(text => scratch.test(text)))
    return [{ name, kind, path: textIn(hostPath ?? {}, 'path') ?? '', isScratch }]
  })
}

/** Whether the volume is a folder of its node that a pod would have for itself: what is in it stays behind. */
export function isOwnHostPath({ kind, path }: LocalVolume): boolean {
  return kind === 'hostPath' && !nodeFolders.some(folder => path === folder || path.startsWith(`${folder}/`))
}
