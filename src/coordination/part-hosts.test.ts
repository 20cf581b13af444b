import { describe, expect, test } from 'vitest'
import type { Capability, Listener, Part } from './capability.ts'
import { assertHosted, partName, partsIn } from './part-hosts.ts'

type Said = Partial<Pick<Part<unknown>, 'presence' | 'trust' | 'role' | 'listeners' | 'host'>>

const around = { needs: [], permissions: [], listeners: [], offers: [], takes: [] } as const
const start = () => Promise.reject(new Error('never started'))
const parts = {
  controller: (said: Said = {}): Part<unknown> => ({
    process: 'controller',
    presence: 'leading',
    trust: 'core',
    ...around,
    start,
    ...said,
  }),
  apiserver: (said: Said = {}): Part<unknown> => ({
    process: 'apiserver',
    presence: 'always',
    trust: 'edge',
    ...around,
    start,
    ...said,
  }),
  gateway: (said: Said = {}): Part<unknown> => ({
    process: 'gateway',
    presence: 'always',
    trust: 'gateway',
    ...around,
    start,
    ...said,
  }),
  node: (said: Said = {}): Part<unknown> => ({ process: 'node', presence: 'always', trust: 'agent', ...around, start, ...said }),
}
const having = (name: string, ...of: readonly Part<unknown>[]): Pick<Capability, 'name' | 'parts'> => ({ name, parts: of })

const port = (said: Partial<Extract<Listener, { kind: 'port' }>> = {}): Listener => ({
  kind: 'port',
  name: 'traffic',
  port: 9000,
  protocol: 'TCP',
  exposure: 'pod',
  ...said,
})
const served: Listener = {
  kind: 'api-service',
  group: 'x.example.io',
  version: 'v1',
  resources: ['*'],
  groupPriority: 100,
  versionPriority: 100,
}
const webhook: Listener = {
  kind: 'webhook',
  name: 'a.x.ballast.dev',
  mutates: false,
  failurePolicy: 'Ignore',
  groups: [''],
  versions: ['v1'],
  resources: ['pods'],
  operations: ['CREATE'],
}
/** A part of a file that nobody checked the types of. */
const unknown: Part<unknown> = { ...parts.controller(), ...JSON.parse('{ "process": "satellite" }') }

describe('a part', () => {
  // biome-ignore format: a table
  test.each([
    ['of a process that there is not',       unknown,                                                                  'x, part satellite: no process hosts parts of "satellite", only controller, apiserver, gateway, node'],
    ['of the core in the edge',              parts.apiserver({ trust: 'core' }),                                       'trust core does not fit `ballast apiserver`, which hosts edge'],
    ['of the edge in the core',              parts.controller({ trust: 'edge' }),                                      'trust edge does not fit `ballast controller`'],
    ['of an agent that there is not',        parts.node({ trust: 'agent-disk', role: 'disk' }),                        'x, part node-disk-always: trust agent-disk does not fit `ballast agent`, which hosts agent and agent-mirror and agent-nfs and nfs-controller'],
    ['that leads where nobody elects',       parts.gateway({ presence: 'leading' }),                                   '`ballast gateway` elects no leader'],
    ['of a node that would lead',            parts.node({ presence: 'leading' }),                                      '`ballast agent` elects no leader'],
    ['with a webhook outside of the core',   parts.apiserver({ listeners: [webhook] }),                                '`ballast apiserver` cannot serve a listener of kind webhook, only api-service and port'],
    ['with an API in the core',              parts.controller({ listeners: [served] }),                                'cannot serve a listener of kind api-service, only webhook'],
    ['with an API in the gateway',           parts.gateway({ listeners: [served] }),                                   'cannot serve a listener of kind api-service, only port'],
    ['with a socket in the gateway',         parts.gateway({ listeners: [{ kind: 'socket', path: '/a', protocol: 'grpc' }] }), 'cannot serve a listener of kind socket'],
    ['with an API that only leaders answer', parts.apiserver({ presence: 'leading', listeners: [served] }),            'APIService v1.x.example.io is asked of every replica: expected presence always'],
    ['with a port of the host',              parts.gateway({ listeners: [port({ exposure: 'host' })] }),               'port traffic cannot be the host\'s'],
    ['with the port of our health',          parts.gateway({ listeners: [port({ port: 8081 })] }),                     'port traffic (8081) is the process\'s own'],
    ['with the name of our health',          parts.apiserver({ listeners: [port({ name: 'health' })] }),               'port health (9000) is the process\'s own'],
    ['with a name that is none',             parts.gateway({ listeners: [port({ name: 'traffic-of-everybody' })] }),   'expected a name of at most 15'],
    ['that wants a machine',                 parts.apiserver({ host: { mounts: [], user: 'root', linuxCapabilities: [], network: 'host' } }), '`ballast apiserver` has nothing of its machine to give'],
  ])('%s is refused by name', (_title, part, why) => expect(() => assertHosted([having('x', part)])).toThrow(why))

  test('is told with all others that are refused', () =>
    expect(() => assertHosted([having('a', parts.gateway({ trust: 'core' })), having('b', unknown)])).toThrow(
      /a, part gateway-always: .*; b, part satellite: /,
    ))

  // biome-ignore format: a table
  test.each([
    ['a port',       [having('a', parts.gateway({ listeners: [port()] })), having('b', parts.gateway({ listeners: [port({ name: 'other' })] }))], 'b, part gateway-always: port 9000 of gateway is taken by a, part gateway-always'],
    ['a port name',  [having('a', parts.gateway({ listeners: [port()] })), having('b', parts.gateway({ listeners: [port({ port: 9001 })] }))],    'port name traffic of gateway is taken by a'],
    ['an API',       [having('a', parts.apiserver({ listeners: [served] })), having('b', parts.apiserver({ listeners: [served] }))],              'APIService v1.x.example.io is taken by a'],
  ])('that would take %s of another is refused', (_title, capabilities, why) => expect(() => assertHosted(capabilities)).toThrow(why))

  test('that somebody runs is not', () =>
    expect(() =>
      assertHosted([
        having('a', parts.controller({ listeners: [webhook] }), parts.controller({ presence: 'always' })),
        having('b', parts.apiserver({ listeners: [served, port()] }), parts.apiserver({ presence: 'leading' })),
        having('c', parts.gateway({ listeners: [port()] }), parts.node({ listeners: [port({ port: 8081, exposure: 'host' })] })),
      ]),
    ).not.toThrow())

  test('is found by its process', () => {
    const of = having('a', parts.controller(), parts.node({ role: 'disk' }), parts.controller({ presence: 'always' }))
    expect(partsIn('controller', of).map(partName)).toEqual(['controller', 'controller-always'])
    expect(partsIn('node', of).map(partName)).toEqual(['node-disk-always'])
    expect(partsIn('gateway', of)).toEqual([])
  })
})
