import { expect, test } from 'vitest'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import type { ScalerCondition } from '../kinds/triggers.ts'
import { autoscaleStory, storyLine } from './autoscale-story.ts'

function object(...conditions: readonly ScalerCondition[]): ScaledObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'night', namespace: 'media' },
    spec: scaledObjectSpec.parse({ scaleTargetRef: { name: 'night' }, triggers: [{ type: 'cron', metadata: {} }] }),
    status: { conditions: [...conditions], triggersActivity: { 's0-cron': { isActive: true }, 's1-cron': { isActive: false } } },
  }
}
const active: ScalerCondition = { type: 'Active', status: 'True' }
const cooling: ScalerCondition = { type: 'Active', status: 'False', reason: 'ScalerCooldown', message: 'cooling down' }
const resting: ScalerCondition = {
  type: 'Active',
  status: 'False',
  reason: 'ScalerNotActive',
  message: 'triggers are not active',
}
const failed = (message: string): ScalerCondition => ({ type: 'Ready', status: 'False', message })

test.each<[string, ScaledObject, ScaledObject | undefined, string | undefined]>([
  ['it wakes', object(active), object(resting), 'autoscale  media/night wakes: s0-cron'],
  ['it rests', object(resting), object(active), 'autoscale  media/night rests: triggers are not active'],
  [
    'it cools down',
    object(cooling),
    object(active),
    'autoscale  media/night is not active any more, and rests after its cool-down',
  ],
  ['it cools down still', object(cooling), object(cooling), undefined],
  ['it has cooled down', object(resting), object(cooling), 'autoscale  media/night rests: triggers are not active'],
  ['it was seen first at rest', object(resting), undefined, 'autoscale  media/night rests: triggers are not active'],
  ['nothing is new', object(active), object(active), undefined],
  ['nothing is known yet', object({ type: 'Active', status: 'Unknown' }), undefined, undefined],
  ['it fails', object(failed('no'), resting), object(resting), 'autoscale  media/night is not scaled: no'],
  ['it fails otherwise', object(failed('never')), object(failed('no')), 'autoscale  media/night is not scaled: never'],
  ['it fails as before', object(failed('no')), object(failed('no')), undefined],
])('%s', (_what, now, before, line) => expect(storyLine(now, before)).toBe(line))

test('it is tried where there is one', () => {
  expect(autoscaleStory.toTry([], { take: () => undefined })).toEqual([])
  expect(autoscaleStory.toTry([object()], { take: () => undefined }).at(-1)).toBe(
    '  ballast why ScaledObject/night -n media --kubeconfig .ballast/kubeconfig',
  )
})
