import { expect, test } from 'vitest'
import { homelab, pictureOf } from '../testdata/homelab.ts'
import { workloadPods } from './workload-pods.ts'

test('of a pod that is not tried it is not said that it may go nowhere', () => {
  const picture = pictureOf(homelab())
  const [pod] = [...picture.state.pods.values()].filter(({ isFinished }) => !isFinished)
  if (pod === undefined) throw new Error('no pod in the example')
  expect(workloadPods(picture, [pod])[0]?.mayGoCount).toBeTypeOf('number')
  const finished = { ...pod, isFinished: true }
  expect(workloadPods(picture, [finished])[0]).toMatchObject({ mayGo: [], mayGoCount: null, mayNot: [] })
})
