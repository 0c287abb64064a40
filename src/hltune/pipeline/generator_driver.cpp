// Compiled into a user's file of generators, this makes it a program that tells hltune about one of them:
//
//   PROGRAM list RESULT                                           {"generators": [NAME...]}
//   PROGRAM build RESULT HLPIPE NAME TARGET FORM [KEY VALUE]...   the pipeline in HLPIPE, and
//       {"inputs": [INPUT...], "parameters": [NAME...], "others": [KEY...]}
//
//   FORM    algorithm, or manual: as the generator schedules itself when no autoscheduler is asked for
//   INPUT   of an image:  {"name", "type": [code, bits], "estimates": [[min, extent] or null...],
//                          "constraints": [DIMENSION...], "alignment": bytes or null}
//           of a scalar:  {"name", "type": [code, bits], "estimate": number or null, "minimum": VALUE, "maximum": VALUE}
//   DIMENSION             {"minimum": VALUE, "extent": VALUE, "stride": VALUE}
//   VALUE   a number, null where anything goes, or an expression that is no constant: a pipeline of one Func that has
//           its value, serialized, in hexadecimal digits
//
// "parameters" are the generator's own; "others" are the keys that are none of them: scalar inputs, unless mistyped.
// What Halide rejects is written as {"error": TEXT, "setting": KEY or null, "parameters", "others"}. The file format
// keeps no estimates of inputs and no unused inputs, hence the JSON.

#include <Halide.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace hltune_driver {

std::string quoted(const std::string &text) {
    std::ostringstream out;
    out << '"';
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') {
            out << '\\' << c;
        } else if (c < 0x20) {
            out << "\\u" << std::hex << std::setw(4) << std::setfill('0') << int(c) << std::dec;
        } else {
            out << c;
        }
    }
    out << '"';
    return out.str();
}

std::string list(const std::vector<std::string> &items) {
    std::string text;
    for (const std::string &item : items) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return "[" + text + "]";
}

std::optional<int64_t> integer(const Halide::Expr &e) {
    return e.defined() ? Halide::Internal::as_const_int(e) : std::nullopt;
}

std::string integer_or_null(const Halide::Expr &e) {
    const auto value = integer(e);
    return value ? std::to_string(*value) : "null";
}

std::string number_or_null(const Halide::Expr &e) {
    if (integer(e)) {
        return std::to_string(*integer(e));
    }
    if (const auto value = e.defined() ? Halide::Internal::as_const_uint(e) : std::nullopt) {
        return std::to_string(*value);
    }
    const auto value = e.defined() ? Halide::Internal::as_const_float(e) : std::nullopt;
    if (value && std::isfinite(*value)) {
        std::ostringstream out;
        out << std::setprecision(17) << *value;
        return out.str();
    }
    return "null";
}

std::string interval_or_null(const Halide::Expr &min, const Halide::Expr &extent) {
    return integer(min) && integer(extent) ? list({integer_or_null(min), integer_or_null(extent)}) : "null";
}

std::string interval(const Halide::Parameter &p, int d) {
    const std::string estimate = interval_or_null(p.min_constraint_estimate(d), p.extent_constraint_estimate(d));
    return estimate != "null" ? estimate : interval_or_null(p.min_constraint(d), p.extent_constraint(d));
}

// A pipeline of one Func without dimensions, which has the value.
std::string serialized(const Halide::Expr &e) {
    Halide::Func func("constraint");
    func() = e;
    std::vector<uint8_t> bytes;
    Halide::serialize_pipeline(Halide::Pipeline(func), bytes);
    std::ostringstream out;
    for (const uint8_t byte : bytes) {
        out << std::hex << std::setw(2) << std::setfill('0') << int(byte);
    }
    return out.str();
}

std::string value(const Halide::Expr &e) {
    const std::string number = number_or_null(e);
    return e.defined() && number == "null" ? quoted(serialized(e)) : number;
}

std::string constraint(const Halide::Parameter &p, int d) {
    return "{\"minimum\": " + value(p.min_constraint(d)) + ", \"extent\": " + value(p.extent_constraint(d)) +
           ", \"stride\": " + value(p.stride_constraint(d)) + "}";
}

std::string image(const Halide::Parameter &p) {
    std::vector<std::string> intervals, constraints;
    for (int d = 0; d < p.dimensions(); d++) {
        intervals.push_back(interval(p, d));
        constraints.push_back(constraint(p, d));
    }
    const int alignment = p.host_alignment();
    return ", \"estimates\": " + list(intervals) + ", \"constraints\": " + list(constraints) +
           ", \"alignment\": " + (alignment == p.type().bytes() ? "null" : std::to_string(alignment)) + "}";
}

std::string scalar(const Halide::Parameter &p) {
    return ", \"estimate\": " + number_or_null(p.estimate().defined() ? p.estimate() : p.default_value()) +
           ", \"minimum\": " + value(p.min_value()) + ", \"maximum\": " + value(p.max_value()) + "}";
}

std::string input(const Halide::Parameter &p) {
    return "{\"name\": " + quoted(p.name()) + ", \"type\": " +
           list({std::to_string(int(p.type().code())), std::to_string(p.type().bits())}) +
           (p.is_buffer() ? image(p) : scalar(p));
}

std::string list_generators() {
    std::vector<std::string> names;
    for (const std::string &name : Halide::Internal::GeneratorRegistry::enumerate()) {
        names.push_back(quoted(name));
    }
    return "{\"generators\": " + list(names) + "}";
}

// Opens what Halide keeps for generators themselves.
struct Port : Halide::Internal::GIOBase {
    static void add_parameters(const Halide::Internal::GIOBase &port, std::set<std::string> &names) {
        const std::string &name = (port.*&Port::name)();
        if (!(port.*&Port::gio_types_defined)()) {
            names.insert(name + ".type");
        }
        if (!(port.*&Port::dims_defined)() && (port.*&Port::kind)() != Halide::Internal::ArgInfoKind::Scalar) {
            names.insert(name + ".dim");
        }
        if (!(port.*&Port::array_size_defined)()) {
            names.insert(name + ".size");
        }
    }
};

// What may be set in the only generator there is. Asking the generator itself would run its configure(), after which
// it is too late to set anything.
std::optional<std::set<std::string>> parameters() {
    using Registry = Halide::Internal::ObjectInstanceRegistry;
    const auto all = Registry::instances_in_range((void *)1, SIZE_MAX - 1);
    const auto found = std::find_if(all.begin(), all.end(), [](const auto &i) { return i.second == Registry::Generator; });
    if (found == all.end()) {
        return std::nullopt;  // a class of the user's own that only looks like a generator
    }
    std::set<std::string> names;
    const auto start = (uintptr_t)found->first;
    for (const auto &[instance, kind] : Registry::instances_in_range(found->first, SIZE_MAX - start)) {
        if (kind == Registry::GeneratorParam) {
            const std::string &name = static_cast<Halide::Internal::GeneratorParamBase *>(instance)->name();
            if (name.find('.') == std::string::npos) {  // the others are those of ports, defined or not
                names.insert(name);
            }
        } else if (kind == Registry::GeneratorInput) {
            Port::add_parameters(*static_cast<Halide::Internal::GeneratorInputBase *>(instance), names);
        } else if (kind == Registry::GeneratorOutput) {
            Port::add_parameters(*static_cast<Halide::Internal::GeneratorOutputBase *>(instance), names);
        }
    }
    for (const char *given : {"target", "autoscheduler"}) {
        names.erase(given);
    }
    return names;
}

// How far setting the parameters has come.
struct Parameters {
    std::vector<std::string> names, others;
    std::string setting = "null";

    void set(Halide::Internal::AbstractGenerator &generator, const std::string &key, const std::string &value) {
        setting = quoted(key);
        if (!known || known->count(key)) {
            generator.set_generatorparam_value(key, value);
        } else {
            others.push_back(quoted(key));
        }
        setting = "null";
    }

    void ask() {
        known = parameters();
        for (const std::string &name : known.value_or(std::set<std::string>{})) {
            names.push_back(quoted(name));
        }
    }

    std::string fields() const {
        return ", \"parameters\": " + list(names) + ", \"others\": " + list(others) + "}";
    }

private:
    std::optional<std::set<std::string>> known;
};

// arguments: HLPIPE NAME TARGET FORM [KEY VALUE]...
std::string build(const std::vector<std::string> &arguments, Parameters &parameters) {
    // A named autoscheduler makes using_autoscheduler() true, so that generators leave their own schedule out.
    const Halide::Target target(arguments[2]);
    const bool manual = arguments[3] == "manual";
    const Halide::GeneratorContext context =
        manual ? Halide::GeneratorContext(target) : Halide::GeneratorContext(target, Halide::AutoschedulerParams("hltune", {}));
    const auto generator = Halide::Internal::GeneratorRegistry::create(arguments[1], context);
    parameters.ask();
    for (size_t i = 4; i + 1 < arguments.size(); i += 2) {
        parameters.set(*generator, arguments[i], arguments[i + 1]);
    }
    Halide::serialize_pipeline(generator->build_pipeline(), arguments[0]);
    std::vector<std::string> inputs;
    for (const auto &info : generator->arginfos()) {
        if (info.dir == Halide::Internal::ArgInfoDirection::Input) {
            // An array of inputs has several parameters.
            for (const Halide::Parameter &parameter : generator->input_parameter(info.name)) {
                inputs.push_back(input(parameter));
            }
        }
    }
    return "{\"inputs\": " + list(inputs) + parameters.fields();
}

// Halide's exceptions carry no base classes, being compiled without RTTI: a reporter catches what a handler cannot.
struct Reporter final : Halide::CompileTimeErrorReporter {
    std::string result;
    Parameters parameters;

    explicit Reporter(std::string path)
        : result(std::move(path)) {
    }
    void warning(const char *message) override {
        std::fputs(message, stderr);
    }
    [[noreturn]] void error(const char *message) override {
        std::ofstream(result) << "{\"error\": " << quoted(message) << ", \"setting\": " << parameters.setting
                              << parameters.fields();
        std::_Exit(0);
    }
};

}  // namespace hltune_driver

int main(int argc, char **argv) {
    const std::vector<std::string> arguments(argv + 3, argv + argc);
    hltune_driver::Reporter reporter(argv[2]);
    Halide::set_custom_compile_time_error_reporter(&reporter);
    const bool only_list = argv[1] == std::string("list");
    const std::string text =
        only_list ? hltune_driver::list_generators() : hltune_driver::build(arguments, reporter.parameters);
    std::ofstream(argv[2]) << text;
    return 0;
}

// The user's file follows; it may be a program of its own, too.
#define main hltune_users_main
