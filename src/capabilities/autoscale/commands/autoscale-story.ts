// Autoscaling as `ballast up` shows it: a line whenever a ScaledObject wakes, goes to rest, or cannot be scaled.
import type { UpStory } from '#cli/up/capability-stories.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { scaledObjects } from '../names.ts'

export const autoscaleStory: UpStory = {
  toTry: objects => {
    const one = objects.find(isScaledObject)
    if (one === undefined) return []
    const { namespace = 'default', name } = one.metadata
    return [
      'See what is scaled by its triggers, and what holds one of them where it is:',
      '  kubectl get scaledobjects -A',
      `  ballast why ScaledObject/${name} -n ${namespace} --kubeconfig .ballast/kubeconfig`,
    ]
  },
  watch: (informers, tell) =>
    informers.of<ScaledObject>(scaledObjects, { optional: true }).onChange(({ type, object, previous }) => {
      const line = type === 'DELETED' ? undefined : storyLine(object, previous)
      if (line !== undefined) tell(line)
    }),
}

function isScaledObject({ apiVersion, kind }: KubeObject): boolean {
  return kind === 'ScaledObject' && apiVersion.startsWith('keda.sh/')
}

/** What is new since `previous`, where that is worth a line. */
export function storyLine(object: ScaledObject, previous: ScaledObject | undefined): string | undefined {
  const { namespace = '', name } = object.metadata
  const what = `autoscale  ${namespace}/${name}`
  const [ready, before] = [condition(object, 'Ready'), condition(previous, 'Ready')]
  if (ready?.status === 'False' && (before?.status !== 'False' || before.message !== ready.message))
    return `${what} is not scaled: ${ready.message ?? ready.reason ?? 'no reason is told'}`
  const [active, was] = [condition(object, 'Active'), condition(previous, 'Active')]
  // At the end of a cool-down the reason changes, and it is at rest only then.
  if (active === undefined || (active.status === was?.status && active.reason === was.reason)) return undefined
  if (active.status === 'True') {
    const metrics = Object.entries(object.status?.triggersActivity ?? {}).filter(([, { isActive }]) => isActive === true)
    return `${what} wakes${metrics.length === 0 ? '' : `: ${metrics.map(([metric]) => metric).join(', ')}`}`
  }
  if (active.status !== 'False') return undefined
  if (active.reason === 'ScalerCooldown') return `${what} is not active any more, and rests after its cool-down`
  return `${what} rests: ${active.message ?? active.reason ?? 'nothing is active'}`
}

function condition(object: ScaledObject | undefined, type: string) {
  return object?.status?.conditions?.find(one => one.type === type)
}
