// The page behind a sign-in: over TLS of its own, with viewers of the twin's API server, each with the rights that RBAC gives.
import { deepStrictEqual, ok } from 'node:assert'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { eventually } from '../ballast/example-cluster.ts'
import { startBallast, startExample } from './ballast-process.ts'
import { desk, openBrowser } from './browser.ts'
import { ofBallast, openTwinApi, type TwinApi } from './twin-api.ts'

const soonMs = 120_000
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' } as const
const plans = { ...ofBallast, resource: 'rebalanceplans' } as const
const lacking = 'Your account lacks patch on rebalanceplans (ballast.dev).'
const behindTls: BrowserContextOptions = { ...desk, ignoreHTTPSErrors: true }

const reading = [
  { apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['list'] },
  { apiGroups: ['ballast.dev'], resources: ['rebalanceplans', 'disruptionpermits'], verbs: ['list'] },
]
const writing = [{ apiGroups: ['ballast.dev'], resources: ['rebalanceplans'], verbs: ['patch'] }]

/** Nobody sees anything; who may only read sees the plan and why there is nothing to press (D24); who may, approves under the own name. */
export async function judgeSignIn(): Promise<string> {
  await using ballast = await startExample('--speed', '10')
  await ballast.until(/Press Enter to approve/)
  const kubeconfig = `${ballast.directory}/kubeconfig`
  await using twin = await openTwinApi(kubeconfig)
  await account(twin, 'reader', reading)
  await account(twin, 'operator', [...reading, ...writing])
  const config = await configurationIn(ballast.directory)
  await using dashboard = startBallast(['dashboard', '--kubeconfig', kubeconfig, '--config', config, '--actions'])
  const [, url = ''] = await dashboard.until(/Ballast {2}(https:\/\/127\.0\.0\.1:\d+\/)/)
  await using own = await openBrowser()
  const [plan] = await twin.list(plans)
  const name = plan?.metadata.name ?? ''
  const approved = async () => Object((await twin.get(plans, name))['spec']).approved === true

  await using reader = await own.open(behindTls)
  const { page } = reader
  await page.goto(`${url}plan/${name}`)
  await page.getByLabel('Bearer token').waitFor({ timeout: soonMs })
  ok(!/talos/.test((await page.content()).replaceAll(name, '')), 'who is not signed in sees nothing of the cluster')
  await signIn(page, 'not.a.token')
  await page.getByLabel('Bearer token').waitFor({ timeout: soonMs })
  // The form may be drawn before the answer that takes the cookie away.
  await eventually('no cookie', async () => ((await page.context().cookies()).length === 0 ? true : undefined), soonMs)
  await signIn(page, await twin.token('default', 'reader'))
  const main = page.locator('main')
  await main.getByText('15 moves, the fewest that keep the margins').first().waitFor({ timeout: soonMs })
  const [cookie] = await page.context().cookies()
  deepStrictEqual([cookie?.name, cookie?.httpOnly, cookie?.secure, cookie?.sameSite], ['__Host-ballast', true, true, 'Strict'])
  ok(await main.getByRole('button', { name: 'Run all' }).isDisabled(), 'Run all can be pressed')
  await main.getByText(lacking).first().waitFor({ timeout: soonMs })
  const refused: readonly [number, string] = await page.evaluate(
    `fetch('/api/v1/actions/approve', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Ballast-Action': '1' },
      body: JSON.stringify({ revision: '', plan: ${JSON.stringify(name)}, snapshotHash: ${JSON.stringify(Object(plan?.['spec']).snapshotHash)} }),
    }).then(async answer => [answer.status, (await answer.json()).error.code])`,
  )
  deepStrictEqual(refused, [403, 'action-forbidden'])
  ok(!(await approved()), 'nothing was written')
  await page.goto(`${url}settings`)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Bearer token').waitFor({ timeout: soonMs })
  // The form may be drawn before the answer that takes the cookie away.
  await eventually('no cookie', async () => ((await page.context().cookies()).length === 0 ? true : undefined), soonMs)

  await using operator = await own.open(behindTls)
  await operator.page.goto(`${url}plan/${name}`)
  await signIn(operator.page, await twin.token('default', 'operator'))
  await operator.page.locator('main').getByRole('button', { name: 'Run all' }).click()
  const dialog = operator.page.getByRole('dialog')
  if (await dialog.isVisible()) await dialog.getByRole('button', { name: 'Run all' }).click()
  await ballast.until(/was approved by system:serviceaccount:default:operator/)
  // A page that asks for a token is answered with 401, and the browser says so.
  const unexpected = [...reader.complaints, ...operator.complaints].filter(one => !/status of 40[13]/.test(one))
  deepStrictEqual(unexpected, [])
  return 'nothing for nobody, the plan without its buttons for who may only read, approved by its own name for who may'
}

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Bearer token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Sign in', disabled: true }).waitFor({ state: 'hidden', timeout: soonMs })
}

async function account(twin: TwinApi, name: string, rules: readonly object[]): Promise<void> {
  const role: KubeObject = { apiVersion: `${rbac.group}/v1`, kind: 'ClusterRole', metadata: { name }, rules }
  const subjects = [{ kind: 'ServiceAccount', name, namespace: 'default' }]
  const roleRef = { apiGroup: rbac.group, kind: 'ClusterRole', name }
  const binding: KubeObject = {
    apiVersion: `${rbac.group}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef,
    subjects,
  }
  await twin.create(builtIn.serviceaccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: 'default' },
  })
  await twin.create({ ...rbac, resource: 'clusterroles' }, role)
  await twin.create({ ...rbac, resource: 'clusterrolebindings' }, binding)
}

/** A configuration with a certificate of its own beside it. */
async function configurationIn(directory: string): Promise<string> {
  const nowMs = Date.now()
  const authority = await issueAuthority({ commonName: 'dashboard', nowMs })
  const { certificate, key } = await issueLeaf(authority, {
    commonName: 'dashboard',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    nowMs,
  })
  const [certFile, keyFile, config] = ['page.crt', 'page.key', 'ballast.yaml'].map(name => join(directory, name))
  if (certFile === undefined || keyFile === undefined || config === undefined) throw new Error('three names are three paths')
  writeFileSync(certFile, certificate)
  writeFileSync(keyFile, key, { mode: 0o600 })
  const dashboard = { listen: '127.0.0.1:0', auth: { mode: 'token' }, tls: { certFile, keyFile } }
  writeFileSync(config, JSON.stringify({ apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration', dashboard }))
  return config
}
