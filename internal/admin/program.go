package admin

import (
	"net/http"

	"github.com/doorward/doorward/internal/endpoint"
)

// Program describes the program that runs to those who operate it from another machine. No secret is in it.
type Program struct {
	Version  Version
	Settings []Setting // that are in use, in their order
	// Check looks at the configuration as it is set now. It may be called concurrently.
	Check func() ConfigCheck
}

// Version says what a binary is. Its names are stable.
type Version struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Setting is one thing that is configured, and where its value comes from. Its names are stable.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"` // empty if it is not set, and a placeholder for a secret
	Origin string `json:"origin"`
	Env    string `json:"env"`
}

// ConfigCheck says whether a configuration can be used.
type ConfigCheck struct {
	Good     bool            `json:"good"`     // a server would start with it
	Problems []ConfigProblem `json:"problems"` // empty if it is good
	// NeedsRestart are the settings that differ from those in use and cannot be changed while the server runs. A reload
	// takes what is good only if there are none.
	NeedsRestart []string `json:"needs_restart"`
}

// ConfigProblem is one fault of a configuration.
type ConfigProblem struct {
	Where string `json:"where"` // file, line and column, a variable or a flag; empty if no single place is at fault
	Key   string `json:"key"`   // of the setting; empty if it is not about one setting
	Text  string `json:"text"`
	Hint  string `json:"hint"` // what to do; empty if Text says it
}

func (a *Admin) version(w http.ResponseWriter, r *http.Request) error {
	return show(w, r, a.Program.Version)
}

type configAnswer struct {
	Settings []Setting `json:"settings"`
}

// config shows the settings in use.
func (a *Admin) config(w http.ResponseWriter, r *http.Request) error {
	return show(w, r, configAnswer{a.Program.Settings})
}

// configCheck looks at the configuration that a reload would read, and at the files that it names. It changes nothing.
func (a *Admin) configCheck(w http.ResponseWriter, r *http.Request) error {
	if !a.checking.TryLock() {
		return errOneAtATime
	}
	defer a.checking.Unlock()
	return show(w, r, a.Program.Check())
}

// show answers a request without parameters.
func show(w http.ResponseWriter, r *http.Request, shown any) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, shown)
	return nil
}
