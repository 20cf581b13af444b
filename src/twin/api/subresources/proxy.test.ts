import { expect, test } from 'vitest'
import { httpAnnotation } from '../../containers/pod-http.ts'
import { TestClient } from '../../twin-for-tests.ts'
import { startedWithPod } from './running-pod-for-tests.ts'

const at = '/api/v1/namespaces/default'
const rules = '[{ port: 8080, path: /hello, status: 418, headers: { x-tea: "yes" }, body: hi }, { port: 9000, body: rule }]'

async function started(annotation = rules) {
  const twin = await startedWithPod(['get'], '1.36', { annotations: { [httpAnnotation]: annotation } })
  const client = new TestClient(twin.transport({ admin: true }))
  const service = (name: string) => ({ metadata: { name }, spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] } })
  const targetRef = { kind: 'Pod', namespace: 'default', name: 'web' }
  for (const name of ['web', 'empty', 'none']) await client.post(`${at}/services`, service(name))
  const subset = { addresses: [{ ip: '10.0.0.7', targetRef }], ports: [{ name: 'http', port: 8080 }] }
  await client.post(`${at}/endpoints`, { metadata: { name: 'web' }, subsets: [subset] })
  await client.post(`${at}/endpoints`, { metadata: { name: 'empty' }, subsets: [] })
  return { twin, client, [Symbol.asyncDispose]: () => twin.stop() }
}

test('what is behind pods and services answers through the API server', async () => {
  await using cluster = await started()
  const ask = async (path: string) => (await cluster.client.get(`${at}/${path}`)).body
  expect(await ask('pods/web/proxy/a/b?c=d')).toMatchObject({ container: 'main', port: 8080, method: 'GET', path: '/a/b?c=d' })
  expect(await ask('services/http:web:http/proxy/')).toMatchObject({ pod: 'default/web', port: 8080, path: '/' })
  expect(await ask('services/web:80/proxy/x')).toMatchObject({ pod: 'default/web', path: '/x' })
  const get = (path: string) => cluster.client.get(`${at}/${path}`)
  expect(await get('pods/web:8080/proxy/hello')).toMatchObject({ status: 418, text: 'hi' })
  expect(await get('pods/web:9000/proxy/')).toMatchObject({ status: 200, text: 'rule' })
  expect(await get('pods/web/proxy?a=b')).toMatchObject({ status: 301 })
})

// As kube-apiserver 1.36.4 answered, but for the refused connection: its words are those of Go's dialer.
const refusals: readonly (readonly [string, number, string])[] = [
  ['pods/none/proxy/', 404, 'pods "none" not found'],
  ['pods/a:b:c/proxy/', 400, 'invalid pod request "a:b:c"'],
  ['pods/web:81/proxy/', 503, 'error trying to reach service: dial tcp 10.0.0.7:81: connect: connection refused'],
  ['services/gone:80/proxy/', 404, 'services "gone" not found'],
  ['services/none/proxy/', 404, 'services "none" not found'],
  ['services/none:81/proxy/', 503, 'no service port 81 found for service "none"'],
  ['services/empty:80/proxy/', 503, 'no endpoints available for service "empty"'],
  ['services/web:other/proxy/', 503, 'no endpoints available for service "web:other"'],
  ['services/x:web:80/proxy/', 400, 'invalid service request "x:web:80"'],
]

test('is refused in the words of kube-apiserver', async () => {
  await using cluster = await started()
  for (const [path, code, message] of refusals)
    expect(await cluster.client.get(`${at}/${path}`), path).toMatchObject({ status: code, message })
  await cluster.client.patch(`${at}/pods/web/status`, 'merge', { status: { podIP: '127.0.0.7', podIPs: [{ ip: '127.0.0.7' }] } })
  expect(await cluster.client.get(`${at}/pods/web/proxy/`)).toMatchObject({ status: 400, message: 'address not allowed' })
})

test('a wrong annotation is told by what is asked', async () => {
  for (const [annotation, told] of [
    ['- { path: x }', 'ballast.dev/twin-http: rule 1: path: Invalid string: must start with "/"'],
    ['[{}, { status: 99 }]', 'ballast.dev/twin-http: rule 2: status: Too small'],
    ['{', 'ballast.dev/twin-http: '],
    ['- { answer: 1 }', 'ballast.dev/twin-http: rule 1: Unrecognized key: "answer"'],
  ] as const) {
    await using cluster = await started(annotation)
    const { status, text } = await cluster.client.get(`${at}/pods/web:8080/proxy/`)
    expect([status, text]).toEqual([500, expect.stringContaining(told)])
  }
})
