import { useState } from "preact/hooks";
import { readTheme, setTheme, THEMES, type Theme } from "../theme.ts";

const NAMES: Readonly<Record<Theme, string>> = { system: "System", light: "Light", dark: "Dark" };

export function ThemeSwitch() {
  const [theme, setShown] = useState(readTheme);

  function change(value: string): void {
    const chosen = THEMES.find((each) => each === value) ?? "system";
    setTheme(chosen);
    setShown(chosen);
  }

  return (
    <label class="theme">
      <span>Theme</span>
      <select value={theme} onChange={({ currentTarget }) => change(currentTarget.value)}>
        {THEMES.map((each) => (
          <option key={each} value={each}>
            {NAMES[each]}
          </option>
        ))}
      </select>
    </label>
  );
}
