import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { refusal, ScriptedTransport } from '#test/scripted-transport.ts'
import { StartsTold } from './starts-told.ts'

test('a right that is not there is told once, and any other trouble each time', async () => {
  const route = { apiVersion: 'a/v1', kind: 'Route', metadata: { namespace: 'shop', name: 'web', uid: '1' } } as KubeObject
  const kind = {
    resource: { group: 'http.keda.sh', version: 'v1beta1', resource: 'interceptorroutes' },
    store: { get: () => route },
    observe: () => undefined,
  }
  let code = 403
  const transport = new ScriptedTransport(() => (code === 403 ? refusal(403, 'Forbidden') : refusal(422, 'Invalid')))
  const said: string[] = []
  const log: Log = { ...silentLog, warn: () => said.push('warn'), debug: () => said.push('debug') }
  const api = openApi(transport, { clock: systemClock, userAgent: 'test' })
  const told = new StartsTold({ clock: systemClock, log, api, kinds: [kind] })
  const { signal } = new AbortController()
  const tell = async () => {
    const before = said.length
    told.tell('shop/web', [], signal)
    await expect.poll(() => said.length).toBe(before + 1)
  }
  await tell()
  await tell()
  code = 422
  await tell()
  code = 403
  await tell()
  expect(said).toEqual(['warn', 'debug', 'warn', 'debug'])
  await api.close()
})
