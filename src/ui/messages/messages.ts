/** Words in the language of the page. */
import type { ComponentChildren } from 'preact'
import { config } from '../config.js'
import { messages as english, type MessageKey, type Messages, type PluralText } from './messages.en.js'

export type { MessageKey } from './messages.en.js'

/** That of the host, else the first of the reader's that there is a catalogue for. */
export const language: 'en' | 'de' =
  config.language ??
  (navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag === 'en' || tag === 'de') as 'en' | 'de') ??
  'en'

/** For `Intl`: the reader's own variant of the language, where they have one. */
export const locale: string = navigator.languages.find((tag) => tag.startsWith(language)) ?? language

let catalogue: Messages = english
const plurals = new Intl.PluralRules(language)

/** Loads the catalogue. Called before the first word is shown. */
export async function loadMessages(): Promise<void> {
  document.documentElement.lang = language
  if (language === 'de') catalogue = (await import('./messages.de.js')).messages
}

type Values = Readonly<Record<string, string | number>>

function textOf(key: MessageKey, values: Values): string {
  const found: string | PluralText = catalogue[key]
  if (typeof found === 'string') return found
  return plurals.select(Number(values.count)) === 'one' ? found.one : found.other
}

/** The text of a key, filled in. */
export function t(key: MessageKey, values: Values = {}): string {
  return textOf(key, values).replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = values[name]
    if (typeof value === 'number') return value.toLocaleString(locale)
    return value ?? place
  })
}

/** The text of a key, filled in with elements. */
export function rich(key: MessageKey, values: Readonly<Record<string, ComponentChildren>>): ComponentChildren {
  return textOf(key, {})
    .split(/\{(\w+)\}/)
    .map((piece, index) => (index % 2 === 1 ? values[piece] : piece))
}

/** Whether a text is a key of the catalogue: actions of events come from the server. */
export const isMessageKey = (key: string): key is MessageKey => key in english
