// What docs/gateway.md shows before the gateway names what is installed. `test/real/gateway/fronts.ts` has real controllers follow it.
import { expect, test } from 'vitest'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { documentedObjects, documentedText } from '#test/real/gateway/fronts/documented.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'

const release = plainRelease('ballast', 'ballast-system')
const installed = objects(installationValues({ enable: ['gateway'], set: ['networkPolicy.enabled=true'] }, capabilities), {
  capabilities,
  release,
})
const ofGateway = (wanted: string) =>
  installed.find(({ kind, metadata }) => kind === wanted && metadata.name === 'ballast-gateway')
const { name, namespace } = ofGateway('Service')?.metadata ?? {}
const port = listAt(ofGateway('Service'), 'spec', 'ports').find(one => textAt(one, 'name') === 'http')
const place = `${name}.${namespace}.svc.cluster.local`

function one(heading: string, wanted: string): unknown {
  const found = documentedObjects(heading).filter(({ kind }) => kind === wanted)
  expect(found.map(({ kind }) => kind)).toEqual([wanted])
  return found[0]
}

test('the Ingress and its Service lead to the port of requests', () => {
  const external = one('An Ingress', 'Service')
  expect(at(external, 'spec')).toMatchObject({ type: 'ExternalName', externalName: place, ports: [{ port: at(port, 'port') }] })
  const ingress = one('An Ingress', 'Ingress')
  expect(textAt(ingress, 'metadata', 'namespace')).toBe(textAt(external, 'metadata', 'namespace'))
  const [path] = listAt(listAt(ingress, 'spec', 'rules')[0], 'http', 'paths')
  const service = { name: textAt(external, 'metadata', 'name'), port: { number: at(port, 'port') } }
  expect(at(path, 'backend', 'service')).toEqual(service)
})

test('the HTTPRoute leads to the port of requests, and the grant lets it and a GRPCRoute', () => {
  const route = one('The Gateway API', 'HTTPRoute')
  const from = textAt(route, 'metadata', 'namespace')
  expect(listAt(listAt(route, 'spec', 'rules')[0], 'backendRefs')).toEqual([{ name, namespace, port: at(port, 'port') }])
  expect(listAt(route, 'spec', 'parentRefs')).toEqual([{ name: textAt(one('The Gateway API', 'Gateway'), 'metadata', 'name') }])
  const grant = one('The Gateway API', 'ReferenceGrant')
  expect(textAt(grant, 'metadata', 'namespace')).toBe(namespace)
  const kinds = ['HTTPRoute', 'GRPCRoute'].map(kind => ({ group: 'gateway.networking.k8s.io', kind, namespace: from }))
  expect(at(grant, 'spec')).toEqual({ from: kinds, to: [{ group: '', kind: 'Service', name }] })
})

test('nginx and HAProxy ask the Service', () => {
  expect(documentedText('nginx', 'nginx')).toContain(`proxy_pass http://${place};`)
  expect(documentedText('A balancer of connections', 'haproxy')).toContain(` ${place}:${at(port, 'port')} `)
})

test('fronts of every namespace may ask the ports of requests', () => {
  const rules = listAt(ofGateway('NetworkPolicy'), 'spec', 'ingress')
  for (const wanted of [8080, 8443]) expect(rules).toContainEqual({ ports: [{ port: wanted, protocol: 'TCP' }] })
})
