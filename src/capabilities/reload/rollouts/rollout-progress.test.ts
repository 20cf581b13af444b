import { expect, test } from 'vitest'
import { rolloutProgress } from './rollout-progress.ts'

const rollout = (status: object, spec: object = {}) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'web', generation: 4 },
  spec,
  status,
})

test.each<[string, object, object, string]>([
  ['nobody runs it', {}, {}, 'not-followed'],
  ['a status before the change', { phase: 'Healthy', observedGeneration: '3' }, {}, 'under-way'],
  ['a status that does not say of what', { phase: 'Healthy' }, {}, 'under-way'],
  ['its pods are made anew', { phase: 'Progressing', observedGeneration: '4' }, {}, 'under-way'],
  ['all are', { phase: 'Healthy', observedGeneration: '4' }, {}, 'done'],
  ['they never get ready', { phase: 'Degraded', observedGeneration: '4' }, {}, 'stuck'],
  ['a canary waits for a person', { phase: 'Paused', observedGeneration: '4' }, {}, 'not-followed'],
  ['somebody paused it', { phase: 'Progressing', observedGeneration: '4' }, { paused: true }, 'not-followed'],
])("an Argo Rollout: %s, its generation as Argo's text", (_, status, spec, expected) => {
  expect(rolloutProgress(rollout(status, spec), 4)).toBe(expected)
})

test('a kind of which the status is not known is not waited for', () => {
  const set = { apiVersion: 'core.strimzi.io/v1', kind: 'StrimziPodSet', metadata: { name: 'kafka', generation: 2 }, spec: {} }
  expect(rolloutProgress(set, 2)).toBe('not-followed')
})
