// What a page keeps, and what it must never do with text of others.
import { deepStrictEqual, ok } from 'node:assert'
import { builtIn } from '#kube/objects/resource.ts'
import { startExample } from './ballast-process.ts'
import { desk, openBrowser } from './browser.ts'
import { openTwinApi } from './twin-api.ts'

const soonMs = 120_000
const picture = '<img src=x onerror="document.title=\'broken into\'">'
const bold = '<b>x</b>=cmd'

/** A theme that was chosen is kept over pages and visits, by key and by list. */
export async function judgeTheme(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open({ ...desk, colorScheme: 'light' })
  const { page, complaints } = sight
  const ground = (): Promise<string> => page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
  const chosen = page.getByLabel('Theme')
  await page.goto(ballast.url)
  await chosen.waitFor({ timeout: soonMs })
  const light = await ground()
  await page.keyboard.press('t')
  await page.locator('html[data-theme="dark"]').waitFor({ state: 'attached', timeout: soonMs })
  const dark = await ground()
  ok(light !== dark, `both are ${light}`)
  for (const path of ['permits', '']) {
    await page.goto(`${ballast.url}${path}`)
    await chosen.waitFor({ timeout: soonMs })
    deepStrictEqual([await ground(), await chosen.inputValue()], [dark, 'dark'], `/${path} after it was chosen`)
  }
  await chosen.selectOption('system')
  await page.reload()
  await chosen.waitFor({ timeout: soonMs })
  deepStrictEqual(await ground(), light, 'as the system has it')
  deepStrictEqual(complaints, [])
  return 'dark by a key, kept over pages and visits; back to what the system has'
}

/** Annotations that would be markup, formulas or escapes are shown as they are written (D28). */
export async function judgeHostileText(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using twin = await openTwinApi(`${ballast.directory}/kubeconfig`)
  const frozen = (reason: string, by: string) => ({
    metadata: { annotations: { 'ballast.dev/freeze': reason, 'ballast.dev/frozen-by': by } },
  })
  await twin.patch(builtIn.deployments, { name: 'sonarr', namespace: 'media' }, frozen(picture, '<script>1</script>\u001b[31m'))
  await twin.patch(builtIn.namespaces, { name: 'ballast-system' }, frozen(bold, 'local'))
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page, complaints } = sight
  await page.goto(ballast.url)
  const banner = page.locator('.frame-banner-frozen')
  await banner.getByText(bold).waitFor({ timeout: soonMs })
  ok(
    (await banner.innerText()).includes(`by local: ${bold}`) || (await banner.innerText()).includes('by local'),
    await banner.innerText(),
  )
  await page.goto(`${ballast.url}workload/media/Deployment/sonarr`)
  await page.getByText(picture).first().waitFor({ timeout: soonMs })
  await page.getByText('<script>1</script>␛[31m').first().waitFor({ timeout: soonMs })
  const made: number = await page.evaluate("document.querySelectorAll('img, main b > script, main script').length")
  deepStrictEqual([made, (await page.title()).includes('broken into')], [0, false])
  const html = await (await page.request.get(ballast.url)).text()
  ok(html.includes('&lt;b&gt;x&lt;/b&gt;=cmd') && !html.includes('<b>x</b>=cmd'), 'the first page has it as text')
  deepStrictEqual(complaints, [])
  return 'markup, formulas and escapes in annotations are shown as they are written'
}
