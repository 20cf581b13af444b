// Whether a container's own program is a shell that takes input: who is attached types to it, and it writes nothing by itself.
import type { KubeObject } from '#kube/objects/objects.ts'
import { itemsAt, listAt, textAt } from '../json-value.ts'
import { specOf } from './asked-container.ts'

const shells = /^(\/usr)?(\/local)?(\/bin\/)?(sh|ash|bash|dash)$/
/** Images whose own program is a shell. */
const shellImages = new Set(['alpine', 'bash', 'busybox', 'debian', 'fedora', 'netshoot', 'ubuntu'])

/** The container's own program where that is one that a client can type to: its words. */
export function ownShell(pod: KubeObject, container: string): readonly string[] | undefined {
  const spec = specOf(pod, container)
  if (spec?.['stdin'] !== true) return undefined
  const [program = [], args = []] = ['command', 'args'].map(name => listAt(spec, name).map(String))
  const words = [...program, ...args]
  if (words.length > 0) return shells.test(words[0] ?? '') ? words : undefined
  const isDebugging = itemsAt(pod, 'spec', 'ephemeralContainers').includes(spec)
  const image = (textAt(spec, 'image') ?? '').replace(/[:@][^/]*$/, '').replace(/^.*\//, '')
  return isDebugging || spec['stdinOnce'] === true || shellImages.has(image) ? ['sh'] : undefined
}
