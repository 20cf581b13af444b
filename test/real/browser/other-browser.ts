// What Chromium shows Firefox shows, too: every page, a plan that is played, and the files of a replay.
import { deepStrictEqual, ok } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBallast, startExample } from './ballast-process.ts'
import { openFirefox } from './firefox.ts'

const end = '\uE010'
const says = (text: string) => `document.querySelector('main').innerText.includes(${JSON.stringify(text)})`

/** Every page is there and nothing complains; a plan is played by mouse and keyboard; its file plays from the disk. */
export async function judgeFirefox(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-firefox-files-'))
  using _folder = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using tab = await openFirefox()
  await tab.goto(ballast.url)
  await tab.until(says('It is waiting for you; nothing has been moved.'))
  const paths = await tab.evaluate<readonly string[]>(
    `[...document.querySelectorAll('nav a')].map(link => link.getAttribute('href'))`,
  )
  ok(paths.length > 8, paths.join(' '))
  for (const path of paths) {
    await tab.goto(new URL(path, ballast.url).href)
    await tab.until(`document.querySelector('main h1') !== null && document.querySelector('main [aria-busy="true"]') === null`)
    const over = await tab.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    ok(over <= 0, `${path} is ${over} px wider than the window`)
  }

  await tab.goto(new URL('plan', ballast.url).href)
  await tab.until(`[...document.querySelectorAll('main a')].some(link => /^talos-/.test(link.textContent))`)
  const plan = await tab.evaluate<string>(
    `[...document.querySelectorAll('main a')].find(link => /^talos-/.test(link.textContent)).textContent`,
  )
  await tab.goto(new URL(`plan/${plan}/replay`, ballast.url).href)
  await tab.until(says('Before: 15 moves are planned'))
  await tab.click(`[...document.querySelectorAll('main button')].find(button => button.textContent.includes('Run'))`)
  await tab.until(says('Move 1 of 15'))
  await tab.click(`document.querySelector('main input[type=range]')`)
  await tab.press(end)
  await tab.until(says('After: 15 moves are made.'))

  for (const name of ['replay.html', 'replay.svg']) {
    await using program = startBallast(['replay', '--cluster', 'examples/talos-homelab', '-o', join(folder, name)])
    await program.until(/KiB/)
  }
  await tab.goto(`file://${join(folder, 'replay.html')}`)
  await tab.evaluate(`[...document.querySelectorAll('button')].find(button => button.textContent.includes('Run')).click()`)
  await tab.until(`document.body.innerText.includes('Move 1 of 15')`)
  await tab.goto(`file://${join(folder, 'replay.svg')}`)
  const durations = await tab.evaluate<readonly number[]>(
    'document.getAnimations().map(animation => animation.effect.getComputedTiming().duration)',
  )
  ok(durations.length > 15 && durations.every(duration => duration === 10_000), `animations of ${durations.join(', ')} ms`)
  deepStrictEqual(tab.complaints, [])
  return `Firefox ${tab.version}: ${paths.length} pages, a plan played, a file and a picture of ${durations.length} animations`
}
