// The project's own commands: `node scripts/main.ts generate`.
import { check } from './check/check.ts'
import { generate } from './generate.ts'

/** Each answers whether all went well. */
const commands: Readonly<Record<string, () => boolean>> = {
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
} else if (!command()) process.exitCode = 1
