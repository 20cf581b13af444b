// Ours within a workload of upstream's, as a swap in place puts it there.
import { listAt, templateOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { InPlaceProgram, Upstream } from './upstream.ts'

/** Does the container run our program, of whatever version? Upstream's words all begin with dashes. */
export const isOurs = (container: unknown, { command }: Pick<InPlaceProgram, 'command'>): boolean =>
  listAt(container, 'command').length === 0 && listAt(container, 'args')[0] === command

/** The program of ours that runs in upstream's workload; `undefined`: upstream's own does. */
export function ownProgramIn({ replaced }: Upstream, workload: KubeObject): InPlaceProgram | undefined {
  const part = replaced?.swap.part
  if (part?.kind !== 'in-place') return undefined
  const containers = listAt(templateOf(workload), 'spec', 'containers')
  return part.programs.find(program => program.isOf(workload) && containers.some(one => isOurs(one, program)))
}
