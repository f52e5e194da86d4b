// Command gotmpl renders Go templates for the tests of harness/gotmpl.
//
// It reads one JSON object a line on standard input and answers each with one JSON object a line,
// so that a single process serves many cases.
//
// Request:  {"name", "text", "data", "functions": "go|kudo|sprig2|sprig3", "missingkey": "default|zero|error"}
// Answer:   {"output": base64} or {"output": base64, "error": text, "stage": "parse|execute"}
//
// Whole JSON numbers become int, others float64. {"$": "int64", "v": 3} makes a value of another Go type.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/template"

	sprig2 "github.com/Masterminds/sprig"
	sprig3 "github.com/Masterminds/sprig/v3"
	"gopkg.in/yaml.v2"
)

type request struct {
	Name       string          `json:"name"`
	Text       string          `json:"text"`
	Data       json.RawMessage `json:"data"`
	Functions  string          `json:"functions"`
	MissingKey string          `json:"missingkey"`
}

type answer struct {
	Output string `json:"output"`
	Error  string `json:"error,omitempty"`
	Stage  string `json:"stage,omitempty"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			if failure := encoder.Encode(serve(line)); failure != nil {
				fmt.Fprintln(os.Stderr, failure)
				os.Exit(1)
			}
			out.Flush()
		}
		if err != nil {
			return
		}
	}
}

func serve(line []byte) (result answer) {
	defer func() {
		if r := recover(); r != nil {
			result = answer{Error: fmt.Sprintf("panic: %v", r), Stage: "panic"}
		}
	}()
	var req request
	if err := json.Unmarshal(line, &req); err != nil {
		return answer{Error: err.Error(), Stage: "request"}
	}
	data, err := decode(req.Data)
	if err != nil {
		return answer{Error: err.Error(), Stage: "request"}
	}
	parsed, err := template.New(req.Name).Option("missingkey=" + req.MissingKey).Funcs(functions(req.Functions)).Parse(req.Text)
	if err != nil {
		return answer{Error: err.Error(), Stage: "parse"}
	}
	var buffer bytes.Buffer
	err = parsed.Execute(&buffer, data)
	result = answer{Output: base64.StdEncoding.EncodeToString(buffer.Bytes())}
	if err != nil {
		result.Error, result.Stage = err.Error(), "execute"
	}
	return result
}

func functions(set string) template.FuncMap {
	switch set {
	case "go":
		return template.FuncMap{}
	case "sprig3":
		return with(sprig3.TxtFuncMap())
	case "kudo":
		funcs := sprigTwo()
		for _, name := range []string{"env", "expandenv", "base", "dir", "clean", "ext", "isAbs"} {
			delete(funcs, name)
		}
		return funcs
	}
	return sprigTwo()
}

// sprigTwo gives sprig 2.22 the camelcase that it had when it was released: a later xstrings, which sprig 3 needs,
// has moved that meaning to another name.
func sprigTwo() template.FuncMap {
	funcs := with(sprig2.TxtFuncMap())
	funcs["camelcase"] = sprig3.TxtFuncMap()["camelcase"]
	return funcs
}

func with(funcs template.FuncMap) template.FuncMap {
	funcs["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return string(text), err
	}
	return funcs
}

func decode(raw json.RawMessage) (interface{}, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value interface{}
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return typed(value), nil
}

func typed(value interface{}) interface{} {
	switch v := value.(type) {
	case json.Number:
		return number(string(v))
	case []interface{}:
		for i := range v {
			v[i] = typed(v[i])
		}
	case map[string]interface{}:
		if name, ok := v["$"].(string); ok {
			return tagged(name, v["v"])
		}
		for key := range v {
			v[key] = typed(v[key])
		}
	}
	return value
}

func number(text string) interface{} {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f
}

func tagged(name string, value interface{}) interface{} {
	text := fmt.Sprint(value)
	signed, _ := strconv.ParseInt(text, 10, 64)
	unsigned, _ := strconv.ParseUint(text, 10, 64)
	switch name {
	case "int8":
		return int8(signed)
	case "int16":
		return int16(signed)
	case "int32":
		return int32(signed)
	case "int64":
		return signed
	case "uint":
		return uint(unsigned)
	case "uint8":
		return uint8(unsigned)
	case "uint64":
		return unsigned
	case "float64":
		f, _ := strconv.ParseFloat(text, 64)
		return f
	case "[]string":
		list := []string{}
		for _, item := range value.([]interface{}) {
			list = append(list, fmt.Sprint(item))
		}
		return list
	case "[]int":
		list := []int{}
		for _, item := range value.([]interface{}) {
			n, _ := strconv.Atoi(fmt.Sprint(item))
			list = append(list, n)
		}
		return list
	case "map[string]string":
		table := map[string]string{}
		for key, item := range value.(map[string]interface{}) {
			table[key] = fmt.Sprint(item)
		}
		return table
	case "func":
		return strings.ToUpper
	}
	panic("unknown tag " + name)
}
