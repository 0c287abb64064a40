// Compiled into a user's file of generators, this makes it a program that tells hltune about one of them:
//
//   PROGRAM list RESULT                                      {"generators": [NAME...]}
//   PROGRAM build RESULT HLPIPE NAME TARGET [KEY VALUE]...   {"inputs": [INPUT...]}, and the pipeline in HLPIPE
//
//   INPUT of an image:  {"name", "type": [code, bits], "estimates": [[min, extent] or null...], "stride": int or null}
//   INPUT of a scalar:  {"name", "type": [code, bits], "estimate": number or null}
//
// What Halide rejects is written as {"error": TEXT}. The file format keeps no estimates of inputs and no unused
// inputs, hence the JSON.

#include <Halide.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <optional>
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

std::string input(const Halide::Parameter &p) {
    std::string text = "{\"name\": " + quoted(p.name()) + ", \"type\": " +
                       list({std::to_string(int(p.type().code())), std::to_string(p.type().bits())});
    if (!p.is_buffer()) {
        return text + ", \"estimate\": " + number_or_null(p.estimate().defined() ? p.estimate() : p.default_value()) + "}";
    }
    std::vector<std::string> intervals;
    for (int d = 0; d < p.dimensions(); d++) {
        intervals.push_back(interval(p, d));
    }
    return text + ", \"estimates\": " + list(intervals) +
           ", \"stride\": " + (p.dimensions() ? integer_or_null(p.stride_constraint(0)) : "1") + "}";
}

std::string list_generators() {
    std::vector<std::string> names;
    for (const std::string &name : Halide::Internal::GeneratorRegistry::enumerate()) {
        names.push_back(quoted(name));
    }
    return "{\"generators\": " + list(names) + "}";
}

// What a key names is an input, whose value is not the generator's business.
bool is_scalar_input(Halide::Internal::AbstractGenerator &generator, const std::string &key) {
    for (const auto &info : generator.arginfos()) {
        if (info.name == key && info.dir == Halide::Internal::ArgInfoDirection::Input &&
            info.kind == Halide::Internal::ArgInfoKind::Scalar) {
            return true;
        }
    }
    return false;
}

// arguments: HLPIPE NAME TARGET [KEY VALUE]...
std::string build(const std::vector<std::string> &arguments) {
    // A named autoscheduler makes using_autoscheduler() true, so that generators leave their own schedule out.
    const Halide::GeneratorContext context(Halide::Target(arguments[2]), Halide::AutoschedulerParams("hltune", {}));
    const auto generator = Halide::Internal::GeneratorRegistry::create(arguments[1], context);
    // Asking for the arguments ends the time for setting parameters, hence a generator just for that.
    const auto asked = Halide::Internal::GeneratorRegistry::create(arguments[1], context);
    for (size_t i = 3; i + 1 < arguments.size(); i += 2) {
        if (!is_scalar_input(*asked, arguments[i])) {
            generator->set_generatorparam_value(arguments[i], arguments[i + 1]);
        }
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
    return "{\"inputs\": " + list(inputs) + "}";
}

// Halide's exceptions carry no base classes, being compiled without RTTI: a reporter catches what a handler cannot.
struct Reporter final : Halide::CompileTimeErrorReporter {
    std::string result;

    explicit Reporter(std::string path)
        : result(std::move(path)) {
    }
    void warning(const char *message) override {
        std::fputs(message, stderr);
    }
    [[noreturn]] void error(const char *message) override {
        std::ofstream(result) << "{\"error\": " << quoted(message) << "}";
        std::_Exit(0);
    }
};

}  // namespace hltune_driver

int main(int argc, char **argv) {
    const std::vector<std::string> arguments(argv + 3, argv + argc);
    hltune_driver::Reporter reporter(argv[2]);
    Halide::set_custom_compile_time_error_reporter(&reporter);
    const bool only_list = argv[1] == std::string("list");
    const std::string text = only_list ? hltune_driver::list_generators() : hltune_driver::build(arguments);
    std::ofstream(argv[2]) << text;
    return 0;
}
