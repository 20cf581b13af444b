// config-reload.md §2.10: ConfigMap reloader-meta-info, written with get, create and update alone.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { answer, refusal, ScriptedTransport, type SeenRequest } from '#test/scripted-transport.ts'
import { publishMetaInfo } from './reloader-meta-info.ts'

const info = { namespace: 'tools', deployment: 'reloader', version: '1.2.3', options: { reloadStrategy: 'annotations' } }

async function publish(script: (request: SeenRequest) => ReturnType<typeof answer>) {
  const transport = new ScriptedTransport(script)
  const api = openApi(transport, { clock: new VirtualClock(0), userAgent: 'test' })
  const warned: string[] = []
  const silent = () => undefined
  const log: Log = { debug: silent, info: silent, error: silent, warn: (_facts, message) => void warned.push(message) }
  await publishMetaInfo({ api, log }, info, new AbortController().signal)
  return { seen: transport.seen, warned }
}

test('it is created with label and three JSON texts', async () => {
  const { seen } = await publish(({ verb }) => (verb === 'GET' ? refusal(404, 'NotFound') : answer(201, {})))
  expect(seen.map(({ verb, path }) => `${verb} ${path}`)).toEqual([
    'GET /api/v1/namespaces/tools/configmaps/reloader-meta-info',
    'POST /api/v1/namespaces/tools/configmaps',
  ])
  expect(seen[1]?.body).toMatchObject({
    metadata: { name: 'reloader-meta-info', labels: { 'reloader.stakater.com/meta-info': 'reloader' } },
    data: {
      buildInfo: expect.stringContaining('"releaseVersion":"1.2.3"'),
      reloaderOptions: '{"reloadStrategy":"annotations"}',
      deploymentInfo: '{"name":"reloader","namespace":"tools"}',
    },
  })
})

test('one that is there is updated in its version', async () => {
  const { seen } = await publish(({ verb }) =>
    answer(
      200,
      verb === 'GET'
        ? { metadata: { name: 'reloader-meta-info', resourceVersion: '7' } }
        : { metadata: { name: 'reloader-meta-info' } },
    ),
  )
  expect(seen[1]).toMatchObject({ verb: 'PUT', body: { metadata: { resourceVersion: '7' } } })
})

test('a refusal is told, and nothing more', async () => {
  const { warned } = await publish(() => refusal(403, 'Forbidden'))
  expect(warned).toEqual(['ConfigMap reloader-meta-info not written'])
})
