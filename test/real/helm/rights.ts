// `ballast controller` with what the manifests give it and nothing more: their ServiceAccount's token, their rights, their configuration.
import { deepStrictEqual, ok } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { installationValues, plainRelease } from '../../../src/deployment/installation.ts'
import { objects } from '../../../src/deployment/objects.ts'
import { yamlDocuments } from '../../../src/deployment/yaml-text.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import { token } from '../ballast/site.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { commandOutput } from '../run-command.ts'

const capabilities = enabledCapabilities
const account = 'system:serviceaccount:ballast-system:ballast-controller'

export interface RightsCase {
  readonly title: string
  readonly set: readonly string[]
}

export const rightsCases: readonly RightsCase[] = [
  { title: 'everything enabled, in the whole cluster', set: ['capabilities.reload.enabled=true'] },
  {
    title: 'reload alone',
    set: ['capabilities.reload.enabled=true', 'capabilities.deschedule.enabled=false', 'capabilities.isolate.enabled=false'],
  },
  {
    title: 'reload alone, in one namespace',
    set: [
      'capabilities.reload.enabled=true',
      'capabilities.deschedule.enabled=false',
      'capabilities.isolate.enabled=false',
      'rbac.namespaced={shop}',
    ],
  },
]

const workload = (image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'cart', namespace: 'shop', annotations: { 'reloader.stakater.com/auto': 'true' } },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'cart' } },
    template: {
      metadata: { labels: { app: 'cart' } },
      spec: { containers: [{ name: 'cart', image, envFrom: [{ secretRef: { name: 'cart' } }] }] },
    },
  },
})

/** A Secret is changed and its Deployment rolled out, without one request that was forbidden. */
export async function judgeRights({ set }: RightsCase): Promise<string> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, audit: true })
  const directory = mkdtempSync(join(tmpdir(), 'ballast-rights-'))
  await using ending = new AsyncDisposableStack()
  ending.defer(() => rmSync(directory, { recursive: true, force: true }))
  ending.defer(() => plane.stop())
  const kubectl = await kubectlPath('newest')
  const values = installationValues({ preset: { namespace: { create: true } }, set }, capabilities)
  const made = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') })
  const apply = (input: string) =>
    commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'apply', '--server-side', '-f', '-'], {
      input,
      timeoutMs: 120_000,
    })
  const shop = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }]
  const secret = (password: string) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cart', namespace: 'shop' },
    stringData: { password },
  })
  await apply(yamlDocuments(shop))
  await apply(yamlDocuments(made.filter(({ kind }) => kind !== 'Deployment')))
  await apply(yamlDocuments([secret('one'), workload('registry.example/cart:1')]))
  const configuration = made.find(({ metadata }) => metadata.name === 'ballast-config')?.['data']
  const file = join(directory, 'config.yaml')
  ok(typeof configuration === 'object' && configuration !== null && 'config.yaml' in configuration)
  writeFileSync(file, String(configuration['config.yaml']))
  const kubeconfig = ending.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), await token(plane)))
  const controller = new ControllerProcess(kubeconfig.file, 'prefer', ['--config', file])
  ending.defer(() => controller.kill('SIGKILL'))
  const variables = async () => {
    const path = '/apis/apps/v1/namespaces/shop/deployments/cart'
    const found = (await plane.client.want('GET', path)) as ReturnType<typeof workload>
    return JSON.stringify(found.spec.template.spec.containers)
  }
  const baseline = async () =>
    (
      await commandOutput(
        kubectl,
        [`--kubeconfig=${plane.kubeconfig}`, 'get', 'configmaps', '-n', 'ballast-system', '-o', 'name'],
        { timeoutMs: 120_000 },
      )
    ).includes('ballast-reload-baseline')
  const wait = async (what: string, holds: () => Promise<boolean>) => {
    const untilMs = Date.now() + 90_000
    while (!(await holds())) {
      ok(controller.isRunning, `the controller ended: ${controller.log}`)
      ok(Date.now() < untilMs, `${what} not seen in 90 s: ${controller.log.split('\n').slice(-12).join('\n')}`)
      await pause(250)
    }
  }
  await wait('baseline', baseline)
  await plane.client.want('PATCH', '/api/v1/namespaces/shop/secrets/cart', { stringData: { password: 'two' } })
  await wait('roll-out', async () => (await variables()).includes('STAKATER_CART_SECRET'))
  controller.kill('SIGTERM')
  deepStrictEqual(await controller.ended, { code: 0, signal: null }, controller.log)
  const requests = plane.answered().filter(({ user }) => user === account)
  ok(requests.length > 20, `${requests.length} requests`)
  deepStrictEqual(
    [...new Set(requests.filter(({ code }) => code === 401 || code === 403).map(({ verb, path }) => `${verb} ${path}`))],
    [],
  )
  return `${requests.length} requests, none forbidden; one Secret changed, one roll-out`
}
