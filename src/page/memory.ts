// What this browser remembers of its reader's choices. One that may keep nothing forgets them with the page, and no more.

export interface Memory {
  getItem: (key: string) => string | null;
  setItem: (key: string, value: string) => void;
}

/** @param storage asked anew each time: a browser may refuse the very name */
function memory(storage: () => Storage): Memory {
  return {
    getItem(key) {
      try {
        return storage().getItem(key);
      } catch {
        return null;
      }
    },
    setItem(key, value) {
      try {
        storage().setItem(key, value);
      } catch {
        // Refused, or full.
      }
    },
  };
}

/** For all tabs, until the reader clears it. */
export const inBrowser = memory(() => localStorage);
/** For this tab. */
export const inTab = memory(() => sessionStorage);
