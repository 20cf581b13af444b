import { expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import type { EndpointService } from '../kinds.ts'
import { portGroups } from './endpoint-addresses.ts'

function pod(
  name: string,
  port: number,
  options: { readonly ready?: boolean; readonly terminating?: boolean; readonly ip?: string | undefined } = {},
): Pod {
  const { ready = true, terminating = false } = options
  const ip = 'ip' in options ? options.ip : `10.0.0.${name.slice(1)}`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...(terminating ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { containers: [{ name: 'a', ports: [{ name: 'http', containerPort: port }] }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      ...(ip === undefined ? {} : { podIP: ip }),
    },
  }
}

const service: EndpointService = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's' },
  spec: { ports: [{ name: 'web', port: 80, targetPort: 'http' }] },
}

test('ready, unready and terminating pods are told apart; one without an address is left out', () => {
  const groups = portGroups(service, [
    pod('p1', 8080),
    pod('p2', 8080, { ready: false }),
    pod('p3', 8080, { terminating: true }),
    pod('p4', 8080, { ip: undefined }),
  ])
  expect(groups).toHaveLength(1)
  expect(groups[0]?.ports).toEqual([{ name: 'web', port: 8080, protocol: 'TCP' }])
  expect(
    groups[0]?.endpoints.map(({ address, isReady, isServing, isTerminating }) => [address, isReady, isServing, isTerminating]),
  ).toEqual([
    ['10.0.0.1', true, true, false],
    ['10.0.0.2', false, false, false],
    ['10.0.0.3', false, true, true],
  ])
})

test('pods with other numbers behind the same name are a group of their own', () => {
  expect(portGroups(service, [pod('p1', 9090), pod('p2', 8080)]).map(group => group.ports[0]?.port)).toEqual([8080, 9090])
})

test('publishNotReadyAddresses makes all of them ready', () => {
  const publishing = { ...service, spec: { ...service.spec, publishNotReadyAddresses: true } }
  expect(portGroups(publishing, [pod('p1', 8080, { ready: false })])[0]?.endpoints[0]?.isReady).toBe(true)
})
