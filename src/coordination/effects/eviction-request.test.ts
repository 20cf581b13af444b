import { expect, test } from 'vitest'
import { evictionRequest } from './eviction-request.ts'

const pod = { namespace: 'shop', name: 'web', uid: 'u1' }

test('an eviction means this very pod, with the grace that was asked for', () => {
  expect(evictionRequest({ pod, apiVersion: 'policy/v1', annotations: { reason: 'old' } })).toEqual({
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'web', namespace: 'shop', annotations: { reason: 'old' } },
    deleteOptions: { preconditions: { uid: 'u1' } },
  })
  const quick = evictionRequest({ pod, apiVersion: 'policy/v1beta1', annotations: {}, gracePeriodSeconds: 0 })
  expect(quick.deleteOptions).toEqual({ gracePeriodSeconds: 0, preconditions: { uid: 'u1' } })
})
