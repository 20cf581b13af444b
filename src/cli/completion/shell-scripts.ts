// What each shell loads, from files beside this one. They hold no word of a command: each press of the key asks the program (`answer.ts`).
import { readFileSync } from 'node:fs'

const files = {
  bash: new URL('./scripts/ballast.bash', import.meta.url),
  zsh: new URL('./scripts/ballast.zsh', import.meta.url),
  fish: new URL('./scripts/ballast.fish', import.meta.url),
  kubectl: new URL('./scripts/kubectl_complete-ballast', import.meta.url),
} as const

type Shell = keyof typeof files

export const shells: readonly string[] = Object.keys(files)

export const isShell = (name: string): name is Shell => Object.hasOwn(files, name)

export const shellScript = (shell: Shell): string => readFileSync(files[shell], 'utf8')
