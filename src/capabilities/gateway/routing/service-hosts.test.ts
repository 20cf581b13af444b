import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { routeTo } from '#test/loopback-gateway.ts'
import type { Route } from './route.ts'
import { routingTable } from './routing-table.ts'
import { withServiceHosts } from './service-hosts.ts'

const services = {
  get: () =>
    ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'any' },
      spec: { clusterIPs: ['10.0.0.9', 'fd00::9'] },
    }) as KubeObject,
}

function route(namespace: string, name: string, more: Partial<Route> = {}, asks = true): Route {
  const base = routeTo(name)
  return { ...base, ...{ key: `${namespace}/${name}`, namespace, name }, hints: { ...base.hints, ownEndpoints: asks }, ...more }
}

function finding(...routes: Route[]) {
  const table = routingTable(withServiceHosts({ routes }, services, 'home.lan').routes)
  return (host: string, path = '/') => table.find(host, path, () => [])?.key
}

describe('hosts of the Service', () => {
  it.each(['ollama', 'ollama.ai', 'ollama.ai.svc', 'ollama.ai.svc.home.lan', '10.0.0.9', 'fd00::9', 'ollama.test'])(
    '%s',
    host => {
      expect(finding(route('ai', 'ollama'))(host)).toBe('ai/ollama')
    },
  )
  it('are none of a route that does not ask', () => {
    const find = finding(route('ai', 'ollama', {}, false))
    expect(['ollama', 'ollama.ai', '10.0.0.9'].map(host => find(host))).toEqual([undefined, undefined, undefined])
  })
  it('take paths that the rules of the route do not name', () => {
    const rules = [{ hosts: ['a.example'], paths: ['/api'], headers: [] }]
    const find = finding(route('ai', 'ollama', { rules }))
    expect([find('ollama.ai', '/other'), find('a.example', '/other')]).toEqual(['ai/ollama', undefined])
  })
  it('never take a host that another route names, however young it is; a wildcard is less than a name', () => {
    const named = route('x', 'mine', { createdMs: 9, rules: [{ hosts: ['ollama.ai'], paths: ['/only'], headers: [] }] }, false)
    const any = route('x', 'any', { rules: [{ hosts: ['*'], paths: [], headers: [] }] }, false)
    const find = finding(route('ai', 'ollama'), named, any)
    expect([find('ollama.ai', '/only'), find('ollama.ai.svc')]).toEqual(['x/mine', 'ai/ollama'])
    expect(find('ollama.ai', '/')).not.toBe('ai/ollama')
  })
  it('without a namespace are nobody’s where two routes bear the name', () => {
    const find = finding(route('ai', 'ollama'), route('b', 'ollama'))
    expect([find('ollama'), find('ollama.ai'), find('ollama.b.svc')]).toEqual([undefined, 'ai/ollama', 'b/ollama'])
  })
  it('are those of the oldest route to the Service', () => {
    const [old, young] = [route('ai', 'old', { createdMs: 1 }), route('ai', 'young', { createdMs: 2 })]
    const target = { service: 'ollama', port: 80 }
    expect(finding({ ...young, target }, { ...old, target })('ollama.ai')).toBe('ai/old')
  })
})
