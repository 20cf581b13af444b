// Light, dark, or as the system has it.
import { signal } from '@preact/signals'
import { keep, kept } from './kept.ts'

export type Theme = 'system' | 'light' | 'dark'

const themes: readonly Theme[] = ['system', 'light', 'dark']

const chosen = themes.find(one => one === kept('theme')) ?? 'system'

export const theme = signal<Theme>(chosen)

export function setTheme(next: Theme): void {
  theme.value = next
  keep('theme', next === 'system' ? undefined : next)
  if (next === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = next
}

/** To the one that is not seen now. */
export function toggleTheme(): void {
  const isDark = theme.value === 'dark' || (theme.value === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
  setTheme(isDark ? 'light' : 'dark')
}

/** What was chosen before. */
export function startTheme(): void {
  setTheme(theme.peek())
}
