// The project's own commands: `node scripts/main.ts generate`.
import { check } from './check/check.ts'
import { generate } from './generate.ts'

/** Each answers whether all went well. */
const commands: Readonly<Record<string, () => boolean | Promise<boolean>>> = {
  'build-web': async () => (await import('./page/build-page.ts')).buildPage(),
  'dev-web': async () => (await import('./page/serve-page.ts')).servePage(process.argv[3]),
  recording: async () => (await import('./recording.ts')).recordExample(),
  screenshots: async () => (await import('./screenshots.ts')).takeScreenshots(),
  check,
  generate: () => {
    generate()
    return true
  },
}

const name = process.argv[2] ?? ''
const command = Object.hasOwn(commands, name) ? commands[name] : undefined
if (command === undefined) {
  console.error(`scripts: no command ${JSON.stringify(name)}; there are ${Object.keys(commands).join(', ')}`)
  process.exitCode = 2
} else if (!(await command())) process.exitCode = 1
