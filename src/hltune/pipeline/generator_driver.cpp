// Linked with a user's file of generators, this makes a program that tells hltune about one of them:
//
//   PROGRAM list RESULT                                           {"generators": [NAME...]}
//   PROGRAM stub RESULT NAME TARGET HEADER                        the header by which other generators call this one, and {}
//   PROGRAM build RESULT HLPIPE NAME TARGET FORM [KEY VALUE]...   the pipeline in HLPIPE, and
//       {"inputs": [INPUT...], "outputs": [INPUT...], "parameters": [NAME...], "others": [KEY...]}; of an output that
//       something of the pipeline names, Halide's reader forgets what is promised
//   PROGRAM check RESULT HLPIPE NAME TARGET FORM SIZES ROOTED [KEY VALUE]...
//       {"different": [NUMBER...]}, of the outputs' elements in which the pipeline of this process and the one in HLPIPE differ
//
//   FORM    algorithm, or manual: as the generator schedules itself when no autoscheduler is asked for
//   INPUT   of an image:  {"name", "type": [code, bits], "estimates": [[min, extent] or null...],
//                          "constraints": [DIMENSION...], "alignment": bytes or null}
//           of a scalar:  {"name", "type": [code, bits], "estimate": number or null, "minimum": VALUE, "maximum": VALUE}
//   DIMENSION             {"minimum": VALUE, "extent": VALUE, "stride": VALUE}
//   VALUE   a number, null where anything goes, as it does up to infinity, or an expression that is no constant: a
//           pipeline of one Func that has its value, serialized, in hexadecimal digits
//
//   SIZES   a file with a line for each scalar input, output, and input image that is not as large as it has to be:
//               scalar NAME BITS
//               output RANK [MINIMUM EXTENT STRIDE]...
//               image NAME RANK [MINIMUM EXTENT STRIDE]...
//   ROOTED  how many Funcs to compute at root: all or none
//
// "parameters" are the generator's own; "others" are the keys that are none of them: scalar inputs, unless mistyped.
// What Halide rejects is written as {"error": TEXT, "running": "own" or "other", "setting": KEY or null, "parameters",
// "others"}; "running" says which of the two pipelines it is. The file format
// keeps no estimates of inputs and no unused inputs, hence the JSON.

#include <Halide.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#ifdef __linux__
#include <csignal>
#include <sys/prctl.h>
#include <unistd.h>
#endif

namespace hltune_driver {

#ifdef __linux__
// Before any code of the user's: a generator without end must not outlive a killed hltune.
__attribute__((constructor(101))) void die_with_parent() {
    const char *parent = std::getenv("HLTUNE_PARENT");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent != nullptr && getppid() != std::atoi(parent)) {
        _exit(1);
    }
}
#endif

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
    const bool is_infinite = number == "null" && e.defined() && Halide::Internal::as_const_float(e);
    return e.defined() && number == "null" && !is_infinite ? quoted(serialized(e)) : number;
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

// JSON has no infinite numbers.
std::string number_or_infinity(const Halide::Expr &e) {
    const auto value = e.defined() ? Halide::Internal::as_const_float(e) : std::nullopt;
    return value && std::isinf(*value) ? quoted(*value < 0 ? "-inf" : "inf") : number_or_null(e);
}

std::string scalar(const Halide::Parameter &p) {
    return ", \"estimate\": " + number_or_infinity(p.estimate().defined() ? p.estimate() : p.default_value()) +
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
    std::string setting = "null", running = "own";

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

using Generator = std::unique_ptr<Halide::Internal::AbstractGenerator>;

// Of the arguments HLPIPE NAME TARGET FORM..., with keys and values from `first` on.
Generator create(const std::vector<std::string> &arguments, size_t first, Parameters &parameters) {
    // A named autoscheduler makes using_autoscheduler() true, so that generators leave their own schedule out.
    const Halide::Target target(arguments[2]);
    const bool manual = arguments[3] == "manual";
    const Halide::GeneratorContext context =
        manual ? Halide::GeneratorContext(target) : Halide::GeneratorContext(target, Halide::AutoschedulerParams("hltune", {}));
    Generator generator = Halide::Internal::GeneratorRegistry::create(arguments[1], context);
    parameters.ask();
    for (size_t i = first; i + 1 < arguments.size(); i += 2) {
        parameters.set(*generator, arguments[i], arguments[i + 1]);
    }
    return generator;
}

std::string stub(const std::vector<std::string> &arguments) {
    const Halide::GeneratorContext context{Halide::Target(arguments[1])};
    if (!Halide::Internal::GeneratorRegistry::create(arguments[0], context)->emit_cpp_stub(arguments[2])) {
        return "{\"error\": \"it has no stub\"}";
    }
    return "{}";
}

// The inputs in their order; an array of inputs has several parameters.
std::vector<Halide::Parameter> inputs(const Generator &generator) {
    std::vector<Halide::Parameter> found;
    for (const auto &info : generator->arginfos()) {
        if (info.dir == Halide::Internal::ArgInfoDirection::Input) {
            for (const Halide::Parameter &parameter : generator->input_parameter(info.name)) {
                found.push_back(parameter);
            }
        }
    }
    return found;
}

std::vector<Halide::Parameter> output_images(const Halide::Pipeline &pipeline) {
    std::vector<Halide::Parameter> found;
    for (const Halide::Func &output : pipeline.outputs()) {
        for (const Halide::OutputImageParam &image : output.output_buffers()) {
            found.push_back(image.parameter());
        }
    }
    return found;
}

std::string build(const std::vector<std::string> &arguments, Parameters &parameters) {
    const Generator generator = create(arguments, 4, parameters);
    const Halide::Pipeline pipeline = generator->build_pipeline();
    Halide::serialize_pipeline(pipeline, arguments[0]);
    std::vector<std::string> texts, promised;
    for (const Halide::Parameter &parameter : inputs(generator)) {
        texts.push_back(input(parameter));
    }
    for (const Halide::Parameter &parameter : output_images(pipeline)) {
        promised.push_back(input(parameter));
    }
    return "{\"inputs\": " + list(texts) + ", \"outputs\": " + list(promised) + parameters.fields();
}

// What the two pipelines are run on.
struct Sample {
    std::map<std::string, halide_scalar_value_t> scalars;
    std::map<std::string, std::vector<halide_dimension_t>> images;
    std::vector<std::vector<halide_dimension_t>> outputs;

    explicit Sample(const std::string &path) {
        std::ifstream file(path);
        for (std::string kind, name; file >> kind;) {
            if (kind == "output") {
                outputs.push_back(shape(file));
            } else if (file >> name; kind == "image") {
                images[name] = shape(file);
            } else {
                file >> scalars[name].u.u64;
            }
        }
    }

private:
    static std::vector<halide_dimension_t> shape(std::istream &file) {
        size_t rank;
        file >> rank;
        std::vector<halide_dimension_t> dimensions(rank);
        for (halide_dimension_t &d : dimensions) {
            file >> d.min >> d.extent >> d.stride;
        }
        return dimensions;
    }
};

Halide::Buffer<> allocated(const Halide::Type &type, const std::vector<halide_dimension_t> &shape) {
    Halide::Runtime::Buffer<> buffer(type, nullptr, int(shape.size()), shape.data());
    buffer.allocate();
    std::memset(buffer.begin(), 0, buffer.size_in_bytes());
    return Halide::Buffer<>(std::move(buffer));
}

// Small numbers: that a table is large enough or a sum does not overflow is for the pipeline to say, not for us.
void fill(Halide::Buffer<> buffer) {
    std::mt19937 random(1);
    const Halide::Type type = buffer.type();
    auto *end = (uint8_t *)buffer.get()->end();
    for (auto *at = (uint8_t *)buffer.get()->begin(); at < end; at += type.bytes()) {
        const uint32_t drawn = random();
        const double fraction = (drawn % 1024) / 1024.0;
        const int64_t whole = type.is_int() ? int64_t(drawn % 201) - 100 : drawn % (type.bits() == 1 ? 2 : 256);
        if (type == Halide::Float(32)) {
            *(float *)at = float(fraction);
        } else if (type == Halide::Float(64)) {
            *(double *)at = fraction;
        } else if (type == Halide::Float(16)) {
            *(Halide::float16_t *)at = Halide::float16_t(fraction);
        } else {
            std::memcpy(at, &whole, type.bytes());
        }
    }
}

std::vector<Halide::Buffer<>> outputs(const Halide::Pipeline &pipeline, const Sample &sample) {
    std::vector<Halide::Buffer<>> buffers;
    const auto funcs = pipeline.outputs();
    for (size_t i = 0; i < funcs.size(); i++) {
        for (const Halide::Type &type : funcs[i].types()) {
            buffers.push_back(allocated(type, sample.outputs.at(i)));
        }
    }
    return buffers;
}

void set_inputs(std::vector<Halide::Parameter> &inputs, const Sample &sample) {
    for (Halide::Parameter &input : inputs) {
        if (!input.is_buffer()) {
            input.set_scalar(input.type(), sample.scalars.at(input.name()));
        } else if (const auto found = sample.images.find(input.name()); found != sample.images.end()) {
            input.set_buffer(allocated(input.type(), found->second));
        }
    }
}

void copy_strides(const Halide::Parameter &from, Halide::Parameter &to) {
    for (int d = 0; d < from.dimensions(); d++) {
        const Halide::Expr stride = from.stride_constraint(d);
        to.set_stride_constraint(d, integer(stride) ? stride : Halide::Expr());
    }
}

// The deserialized pipeline, with the same inputs.
Halide::Pipeline other(const std::string &path, const Halide::Pipeline &own, const std::vector<Halide::Parameter> &inputs, const Sample &sample) {
    auto parameters = Halide::deserialize_parameters(path);
    for (const Halide::Parameter &output : output_images(own)) {
        if (const auto found = parameters.find(output.name()); found != parameters.end()) {
            copy_strides(output, found->second);
        }
    }
    for (const Halide::Parameter &input : inputs) {
        const auto found = parameters.find(input.name());
        if (found != parameters.end() && input.is_buffer()) {
            found->second.set_buffer(input.buffer());
            copy_strides(input, found->second);
        } else if (found != parameters.end()) {
            found->second.set_scalar(input.type(), sample.scalars.at(input.name()));
        }
    }
    return Halide::deserialize_pipeline(path, parameters);
}

void compute_root(Halide::Pipeline &pipeline, size_t funcs) {
    for (size_t i = 0; i < funcs; i++) {
        pipeline.get_func(i).compute_root();
    }
}

bool same(const Halide::Buffer<> &a, const Halide::Buffer<> &b) {
    return std::memcmp(a.get()->begin(), b.get()->begin(), a.size_in_bytes()) == 0;
}

std::string check(const std::vector<std::string> &arguments, Parameters &parameters, const std::string &result) {
    const Generator generator = create(arguments, 6, parameters);
    // The same operations in the same order round in the same way.
    const Halide::Target target = Halide::get_jit_target_from_environment().with_feature(Halide::Target::StrictFloat);
    const Sample sample(arguments[4]);
    const size_t rooted = std::stoul(arguments[5]);
    Halide::Pipeline own = generator->build_pipeline();
    std::vector<Halide::Parameter> all = inputs(generator);
    std::vector<Halide::Buffer<>> expected = outputs(own, sample), found = outputs(own, sample);
    compute_root(own, rooted);
    set_inputs(all, sample);
    own.infer_input_bounds(Halide::Realization(expected), target);
    for (const Halide::Parameter &input : all) {
        if (input.is_buffer() && input.buffer().defined()) {
            fill(input.buffer());
        }
    }
    own.realize(Halide::Realization(expected), target);
    parameters.running = "other";
    std::ofstream(result) << "{\"error\": \"it crashes\", \"running\": \"other\"}";  // unless it goes on
    Halide::Pipeline read = other(arguments[0], own, all, sample);
    compute_root(read, rooted);
    read.realize(Halide::Realization(found), target);
    std::vector<std::string> different;
    for (size_t i = 0; i < found.size(); i++) {
        if (!same(expected[i], found[i])) {
            different.push_back(std::to_string(i));
        }
    }
    return "{\"different\": " + list(different) + "}";
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
        std::ofstream(result) << "{\"error\": " << quoted(message) << ", \"running\": " << quoted(parameters.running) << ", \"setting\": " << parameters.setting
                              << parameters.fields();
        std::_Exit(0);
    }
};

}  // namespace hltune_driver

int main(int argc, char **argv) {
    const std::vector<std::string> arguments(argv + 3, argv + argc);
    hltune_driver::Reporter reporter(argv[2]);
    Halide::set_custom_compile_time_error_reporter(&reporter);
    const std::string mode = argv[1];
    const std::string text = mode == "list"    ? hltune_driver::list_generators()
                             : mode == "stub"  ? hltune_driver::stub(arguments)
                             : mode == "build" ? hltune_driver::build(arguments, reporter.parameters)
                                               : hltune_driver::check(arguments, reporter.parameters, reporter.result);
    std::ofstream(argv[2]) << text;
    return 0;
}
