// The project's own commands: `node scripts/main.ts generate`.
import { generate } from './generate.ts'

const commands: Readonly<Record<string, () => void | Promise<void>>> = { generate }

const name = process.argv[2] ?? ''
const command = Object.hasOwn(commands, name) ? commands[name] : undefined
if (command === undefined) {
  console.error(`scripts: no command ${JSON.stringify(name)}; there are ${Object.keys(commands).join(', ')}`)
  process.exitCode = 2
} else await command()
