// The pages in the states of docs/dashboard.md that only a live cluster brings: nobody leads, a viewer of one namespace, an API server that
// hangs; and the keyboard, which stays where it was.
import { deepStrictEqual, ok } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { parseDocument } from 'yaml'
import { builtIn } from '#kube/objects/resource.ts'
import { startBallast, startExample } from './ballast-process.ts'
import { openBrowser } from './browser.ts'
import { openTwinApi } from './twin-api.ts'

const soonMs = 120_000
/** A server that hangs counts as silent after a minute. */
const silentMs = 150_000
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' } as const

const says = (page: Page, text: string | RegExp, ms = soonMs) => page.getByText(text).first().waitFor({ timeout: ms })
const urlOf = (printed: RegExpExecArray) => printed[1] ?? ''
const address = /Ballast {2}(http:\/\/127\.0\.0\.1:\d+\/)/

/** Every page while nobody leads, for a viewer of one namespace, and while the API server hangs. */
export async function judgeStates(): Promise<string> {
  await using twin = startBallast(['twin', '--cluster', 'examples/talos-homelab', '--kubeconfig-out', '{directory}/kubeconfig'])
  await twin.until(/get nodes/)
  const kubeconfig = join(twin.directory, 'kubeconfig')
  const ofMedia = await mediaKubeconfig(twin.directory, kubeconfig)
  await using dashboard = startBallast(['dashboard', '--kubeconfig', kubeconfig, '--port', '0'])
  await using narrow = startBallast(['dashboard', '--kubeconfig', ofMedia, '--port', '0'])
  const url = urlOf(await dashboard.until(address))
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page } = sight
  await page.goto(url)
  await says(page, 'Nothing is planned and nothing goes on.')
  await page.goto(`${url}plan`)
  await says(page, /none is made\. No controller leads here/)
  ok((await page.getByText(/The next plan is made/).count()) === 0, 'a plan is announced where nobody makes one')

  await judgeNarrow(page, urlOf(await narrow.until(address)))

  await page.goto(url)
  await page.locator('.frame-link-live').waitFor({ timeout: soonMs })
  twin.send('SIGSTOP')
  try {
    await page.locator('.frame-link-late, .frame-link-silent').first().waitFor({ timeout: silentMs })
    await says(page, /The API server has not answered for/)
    for (const path of ['plan', 'workloads', 'images']) {
      await page.goto(`${url}${path}`)
      await says(page, /The API server has not answered for/)
      const text = await page.locator('body').innerText()
      ok(!/https?:\/\/\S+\/api/.test(text), `/${path} shows an address of the API: ${text.slice(0, 500)}`)
    }
  } finally {
    twin.send('SIGCONT')
  }
  await page.locator('.frame-link-live').waitFor({ timeout: soonMs })
  return 'nobody leads: no plan announced; one namespace: its workloads and no zeros; a server that hangs: said on every page, without its address'
}

/** What a viewer sees who may list pods and workloads of one namespace and nothing else. */
async function judgeNarrow(page: Page, url: string): Promise<void> {
  await page.goto(`${url}workloads`)
  await says(page, 'media/sonarr')
  await says(page, /Only the namespace media is shown/)
  for (const [path, words] of [
    ['', 'You may not see nodes'],
    ['plan', 'You may not see plans'],
    ['permits', 'You may not see permits'],
    ['node/talos00', 'You may not see nodes'],
    ['images', 'You may not see'],
  ] as const) {
    await page.goto(`${url}${path}`)
    await says(page, words)
    const text = await page.locator('body').innerText()
    ok(!/signed out|Bearer token/.test(text), `/${path} asks who may see little to sign in: ${text.slice(0, 500)}`)
    ok(!/\b0 (nodes|pods)\b|No plan is kept/.test(text), `/${path} shows nothing as if there were nothing: ${text.slice(0, 500)}`)
  }
}

/** A kubeconfig beside the administrator's, of an account that may list what is in `media`. */
async function mediaKubeconfig(directory: string, kubeconfig: string): Promise<string> {
  await using api = await openTwinApi(kubeconfig)
  const metadata = { name: 'viewer', namespace: 'media' }
  const rules = [
    { apiGroups: [''], resources: ['pods', 'services'], verbs: ['get', 'list', 'watch'] },
    {
      apiGroups: ['apps'],
      resources: ['deployments', 'replicasets', 'statefulsets', 'daemonsets'],
      verbs: ['get', 'list', 'watch'],
    },
  ]
  const roleRef = { apiGroup: rbac.group, kind: 'Role', name: 'viewer' }
  const subjects = [{ kind: 'ServiceAccount', ...metadata }]
  const apiVersion = `${rbac.group}/v1`
  await api.create(builtIn.serviceaccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata })
  await api.create({ ...rbac, resource: 'roles' }, { apiVersion, kind: 'Role', metadata, rules })
  await api.create({ ...rbac, resource: 'rolebindings' }, { apiVersion, kind: 'RoleBinding', metadata, roleRef, subjects })
  const config = parseDocument(readFileSync(kubeconfig, 'utf8'))
  config.setIn(['users', 0, 'user'], { token: await api.token('media', 'viewer') })
  const path = join(directory, 'media')
  writeFileSync(path, String(config), { mode: 0o600 })
  return path
}

/** Waits until an expression is true on the page, whose policy lets nobody evaluate one there. */
async function holds(page: Page, expression: string): Promise<void> {
  const startMs = performance.now()
  while ((await page.evaluate(expression)) !== true) {
    ok(performance.now() - startMs < soonMs, `not so: ${expression}`)
    await page.waitForTimeout(50)
  }
}

const focused = "document.activeElement?.tagName + ' ' + (document.activeElement?.textContent ?? '').trim().slice(0, 30)"

/** After an action the keyboard goes on where it was; `f`, Enter and Escape do the same on every page that has rows. */
export async function judgeKeptFocus(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page, complaints } = sight
  await page.goto(ballast.url)
  await page.locator('.frame-link-live').waitFor({ timeout: soonMs })
  const freeze = page.locator('main').getByRole('button', { name: /^Freeze/ })
  await freeze.focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  if (await dialog.isVisible()) await dialog.getByRole('button', { name: /^Freeze/ }).click()
  await says(page, /Frozen|frozen/)
  await holds(page, "document.activeElement !== document.body && !document.activeElement.matches(':disabled')")
  const after: string = await page.evaluate(focused)
  ok(
    await page.evaluate("document.activeElement.closest('.drawn-tile, .frame-banners') !== null"),
    `after Freeze the focus is on ${after}, and not where it was`,
  )
  for (const path of ['plan', 'permits', 'workloads', 'node/talos00', 'images']) {
    await page.goto(`${ballast.url}${path}`)
    await page.locator('.frame-link-live').waitFor({ timeout: soonMs })
    await page.locator('main [data-row]').first().waitFor({ timeout: soonMs })
    await page.keyboard.press('f')
    const field: string = await page.evaluate('document.activeElement.tagName')
    ok(/^(INPUT|SELECT|SUMMARY)$/.test(field), `f on /${path} leads to ${field}`)
    await page.keyboard.press('Escape')
    ok(!/^(INPUT|SELECT)/.test(await page.evaluate(focused)), `Escape on /${path} stays in the field`)
    if (path === 'permits') continue
    await page.keyboard.press('j')
    await holds(page, "document.activeElement?.closest('[data-row]') !== null")
    const row: string = await page.evaluate('location.pathname')
    if (path === 'images') await page.locator('main [data-row]').first().focus()
    await page.keyboard.press('Enter')
    await holds(page, `location.pathname !== ${JSON.stringify(row)}`)
  }
  // What goes with all that stood around it leaves the page alone: the heading has the focus then, and no field of another part.
  await page.goto(`${ballast.url}workloads`)
  await page.locator('main [data-row]').first().waitFor({ timeout: soonMs })
  await page.evaluate(
    "{ const part = document.createElement('div'); const button = document.createElement('button'); part.append(button); document.querySelector('main').append(part); button.focus(); setTimeout(() => part.remove(), 100) }",
  )
  await holds(page, "document.activeElement.matches('h1')")
  deepStrictEqual(complaints, [])
  return `after an action the focus is on ${after}; f, Enter and Escape on five pages`
}
