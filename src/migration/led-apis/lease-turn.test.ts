import { expect, test } from 'vitest'
import { unguarded } from './lease-turn.ts'

const file = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ballast-config', namespace: 'ballast-system' } }
const said = (guardLease: { readonly enabled: boolean; readonly namespace?: string } | undefined) =>
  unguarded({ capability: 'autoscale' }, { lease: 'operator.keda.sh' }, { guardLease, file, loop: undefined }, 'keda')

test('ours waits for the Lease of upstream only where its section says so', () => {
  expect([said(undefined), said({ enabled: true }), said({ enabled: true, namespace: 'keda' })]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect(said({ enabled: false })).toBe(
    'capabilities.autoscale has guardLease.enabled: false in ConfigMap ballast-system/ballast-config: ours would not wait for Lease keda/operator.keda.sh, and act beside upstream. Write guardLease: {enabled: true, namespace: keda}, then begin anew. Nothing was written',
  )
  expect(said({ enabled: false, namespace: 'keda' })).toContain('guardLease.enabled: false')
  expect(said({ enabled: true, namespace: 'other' })).toContain('guardLease.namespace: other')
})
